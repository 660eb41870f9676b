"""The bodies of the Open Inference Protocol's responses. Those of `infer` are written by hand; this describes them."""

from typing import Any

from pydantic import BaseModel, Field

_Parameters = dict[str, Any]


class ServerMetadata(BaseModel):
    """The server and the protocol's extensions that it has."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The gateway responds."""

    live: bool


class ServerReady(BaseModel):
    """Every model can be used."""

    ready: bool


class ModelReady(BaseModel):
    """The model, or the version of it, can be used."""

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """One input or output; -1 is a size that may vary, and `any_shape` in `parameters` a shape that may be anything."""

    name: str = Field(examples=["image_bytes"])
    datatype: str = Field(examples=["BYTES"])
    shape: tuple[int, ...] = Field(examples=[[-1]])
    parameters: _Parameters = {}


class ModelMetadata(BaseModel):
    """A model's versions, and the inputs and outputs of one signature."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: _Parameters = {}


class OutputTensor(BaseModel):
    """One output; `data` is missing where its elements are binary."""

    name: str = Field(examples=["probabilities"])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[1, 2]])
    parameters: _Parameters = {}
    data: list[Any] = Field([], description="The elements in row-major order.", examples=[[0.97, 0.03]])


class InferenceResponse(BaseModel):
    """The outputs of the version that was used."""

    id: str = Field("", description="The request's, if it had one.")
    model_name: str
    model_version: str
    outputs: list[OutputTensor]

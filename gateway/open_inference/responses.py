"""Models of the Open Inference Protocol's responses; that of `infer` only describes what the route writes directly."""

from typing import Any

from pydantic import BaseModel, Field

_Parameters = dict[str, Any]


class ServerMetadata(BaseModel):
    """The server, and the extensions of the protocol that it supports."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """Whether the gateway responds."""

    live: bool


class ServerReady(BaseModel):
    """Whether every model is available."""

    ready: bool


class ModelReady(BaseModel):
    """Whether the model, or one version of it, is available."""

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """One input or output; a size of -1 may vary, and `any_shape` in `parameters` means that any shape is allowed."""

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
    """One output; `data` is missing if its elements are binary."""

    name: str = Field(examples=["probabilities"])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[1, 2]])
    parameters: _Parameters = {}
    data: list[Any] = Field([], description="The elements in row-major order.", examples=[[0.97, 0.03]])


class InferenceResponse(BaseModel):
    """The outputs of the version that was used."""

    id: str = Field("", description="The request's id, if it had one.")
    model_name: str
    model_version: str
    outputs: list[OutputTensor]

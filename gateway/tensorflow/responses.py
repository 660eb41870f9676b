"""Models that describe the bodies of TensorFlow Serving's REST API.

The gateway does not parse or write bodies with them: as recorded responses of TensorFlow Serving show, bodies have rows
or columns, any nesting, and numbers that JSON does not have, which no model can express.
"""

from typing import Any

from pydantic import BaseModel, Field, RootModel

_SIGNATURE = Field(None, description="The signature of the model; without it, `serving_default`.")


class RowRequest(BaseModel):
    """Inputs in rows: each row is one value, or one object of named values."""

    instances: list[Any] = Field(min_length=1, examples=[[{"b64": "iVBORw0KGgo="}]])
    signature_name: str | None = _SIGNATURE


class ColumnRequest(BaseModel):
    """Inputs in columns: one value, or an object with a value for each input."""

    inputs: Any = Field(examples=[{"image_bytes": [{"b64": "iVBORw0KGgo="}]}])
    signature_name: str | None = _SIGNATURE


class TensorFlowPredictRequest(RootModel[RowRequest | ColumnRequest]):
    """A predict request, in rows or in columns."""


class ExamplesRequest(BaseModel):
    """A classify or regress request."""

    examples: list[dict[str, Any]] = Field(min_length=1, examples=[[{"image_bytes": {"b64": "iVBORw0KGgo="}}]])
    context: dict[str, Any] | None = Field(None, description="Features that all examples share.")
    signature_name: str | None = _SIGNATURE


class RowResponse(BaseModel):
    """Outputs in rows."""

    predictions: list[Any]


class ColumnResponse(BaseModel):
    """Outputs in columns."""

    outputs: Any


class TensorFlowPredictResponse(RootModel[RowResponse | ColumnResponse]):
    """The model's outputs, in the format of the request."""


class ResultsResponse(BaseModel):
    """The result for each example: pairs of label and score, or a number."""

    results: list[Any] = Field(examples=[[[["rose", 0.97], ["tulip", 0.02]]]])


class StatusResponse(BaseModel):
    """The versions of a model and their states."""

    model_version_status: list[dict[str, Any]]


class MetadataResponse(BaseModel):
    """The signatures of one version."""

    model_spec: dict[str, Any]
    metadata: dict[str, Any]

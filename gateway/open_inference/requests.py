"""Parses the JSON part of an inference request, and finds its binary part."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import BadHeaderError, BadJsonError, BadTensorError
from gateway.http.json_bodies import check_length, check_structure, without_collection
from gateway.predict.model_signatures import Signature
from gateway.settings import Settings

LENGTH_HEADER = "Inference-Header-Content-Length"

_MAX_SIZE = 2**63 - 1
_MAX_RANK = 254  # TensorFlow's own limit
_LENGTH = re.compile(r"[0-9]{1,18}")
_MAX_ID_CHARACTERS = 1000  # it comes back with the response
_SHOWN_CHARACTERS = 50

_Size = Annotated[int, Field(ge=0, le=_MAX_SIZE)]


class _Part(BaseModel):
    """A base class that ignores unknown keys: other servers' extensions add theirs.

    Reading a list ends at the first wrong item: an error for each of 300,000 took 1.4 seconds and 280 MB.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class InputParameters(_Part):
    """`binary_data_size` is the number of bytes of the binary part that belong to the input."""

    binary_data_size: _Size | None = None
    shared_memory_region: Any = None


class InputTensor(_Part):
    """One input: its elements are in `data`, flat or nested like `shape`, or in the binary part."""

    name: str
    datatype: str
    shape: tuple[_Size, ...] = Field(max_length=_MAX_RANK, fail_fast=True)
    data: list[Any] | None = None
    parameters: InputParameters | None = None

    @property
    def binary_data_size(self) -> int | None:
        """The number of bytes of the binary part that belong to the input; None if its elements are in `data`."""
        return self.parameters.binary_data_size if self.parameters else None


class OutputParameters(_Part):
    """`binary_data` is whether to return the output as raw bytes; None means the request's default."""

    binary_data: bool | None = None
    classification: Any = None
    shared_memory_region: Any = None


class RequestedOutput(_Part):
    """One requested output."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(_Part):
    """`signature_name` selects the model's signature; `binary_data_output` is the default of outputs' `binary_data`."""

    signature_name: str = ""
    binary_data_output: bool = False
    sequence_id: Any = None


class InferenceRequest(_Part):
    """The JSON object of a request."""

    id: str | None = Field(None, max_length=_MAX_ID_CHARACTERS)
    parameters: RequestParameters | None = None
    inputs: tuple[InputTensor, ...] = Field(fail_fast=True)
    outputs: tuple[RequestedOutput, ...] | None = Field(None, fail_fast=True)


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A parsed inference request. `binary` is what follows the JSON object, `size` the bytes of both."""

    id: str | None
    parameters: RequestParameters
    inputs: tuple[InputTensor, ...]
    outputs: tuple[RequestedOutput, ...]
    binary: memoryview
    size: int

    def wants_binary(self, output: RequestedOutput | None) -> bool:
        """Return whether to return an output as raw bytes; None is an output that the request does not name."""
        if output and output.parameters and output.parameters.binary_data is not None:
            return output.parameters.binary_data
        return self.parameters.binary_data_output


def read_request(body: bytes, header_length: str | None, settings: Settings) -> ParsedRequest:
    """Return the parsed body; `header_length` is the value of `LENGTH_HEADER`, None if it is missing.

    Raises:
        BadHeaderError: the length is not a number, or larger than the body.
        BodyTooLargeError: the JSON part is too long, or has too many values.
        BadJsonError: the JSON part is not an inference request, or uses an extension that is not supported.
    """
    length = len(body) if header_length is None else _read_length(header_length, len(body))
    check_length(length, settings.max_json_bytes)
    text = body if length == len(body) else body[:length]
    check_structure(text, settings)
    try:
        request = without_collection(InferenceRequest.model_validate_json, text)
    except ValidationError as error:
        raise BadJsonError(_sentence(error)) from error
    parsed = ParsedRequest(
        request.id,
        request.parameters or RequestParameters(),
        request.inputs,
        request.outputs or (),
        memoryview(body)[length:],
        len(body),
    )
    _refuse_other_extensions(parsed)
    return parsed


def wanted_outputs(parsed: ParsedRequest, signature: Signature) -> list[str]:
    """Return the names of the requested outputs, empty for all of them.

    Raises:
        BadTensorError: the signature has no such output, or it is requested twice.
    """
    names = [output.name for output in parsed.outputs]
    for name in names:
        if name not in signature.outputs:
            there = ", ".join(signature.outputs)
            raise BadTensorError(f"The model has no output {name[:_SHOWN_CHARACTERS]}; it has: {there}.")
    if len(set(names)) != len(names):
        raise BadTensorError("An output is requested twice.")
    return names


def _read_length(text: str, body_length: int) -> int:
    if not _LENGTH.fullmatch(text):
        raise BadHeaderError(
            f"{LENGTH_HEADER} must be the number of bytes of the JSON object, not {text[:_SHOWN_CHARACTERS]!r}."
        )
    if int(text) > body_length:
        raise BadHeaderError(f"{LENGTH_HEADER} is {int(text)}, but the body has only {body_length} bytes.")
    return int(text)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = first["msg"].rstrip(".")
    if first["type"] == "json_invalid":
        return f"The request is not valid JSON ({message.removeprefix('Invalid JSON: ')})."
    where = ".".join(map(str, first["loc"])) or "its top level"
    return f"The request is not an inference request; at {where}: {message[0].lower()}{message[1:]}."


def _refuse_other_extensions(parsed: ParsedRequest) -> None:
    """Reject extensions that would change the response if they were ignored."""
    given = (*(tensor.parameters for tensor in parsed.inputs), *(tensor.parameters for tensor in parsed.outputs))
    if any(parameters and parameters.shared_memory_region is not None for parameters in given):
        raise BadJsonError("Shared memory is not supported; send the tensors with the request.")
    if any(output.parameters and output.parameters.classification is not None for output in parsed.outputs):
        raise BadJsonError("The classification extension is not supported; request the output itself.")
    if parsed.parameters.sequence_id not in (None, 0, ""):
        raise BadJsonError("Sequences are not supported; leave sequence_id out.")

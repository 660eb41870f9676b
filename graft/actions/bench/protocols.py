"""How an image is sent to each kind of service, and how a response says that it was rejected."""

import base64
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from contract.signatures import IMAGE_INPUT
from graft.actions.given.query import with_query

_SHOWN = 200
_AS_GIVEN = "surrogateescape"  # a name of bytes that are not UTF-8 is for the service to reject


class BenchProtocol(StrEnum):
    """An HTTP API that takes one image in a request."""

    NATIVE = "native"
    TENSORFLOW = "tensorflow"
    OPEN_INFERENCE = "open-inference"
    RAW = "raw"


_REJECTED = {
    BenchProtocol.TENSORFLOW: re.compile(rb'"valid":\s*(?:\[\s*)?false'),
    BenchProtocol.OPEN_INFERENCE: re.compile(rb'"name":\s*"valid"[^}]*"data":\s*\[\s*false'),
}
"""In responses with status 200 of models whose graph decides image by image."""
NEEDS_MODEL = {BenchProtocol.TENSORFLOW, BenchProtocol.OPEN_INFERENCE}
"""Their paths have the name of a model."""


@dataclass(frozen=True)
class RequestForm:
    """The request for an image: which model, and the name of the input in the Open Inference Protocol."""

    protocol: BenchProtocol
    model: str | None = None
    version: int | None = None
    input_name: str = IMAGE_INPUT

    @property
    def path(self) -> str:
        """What follows the service's URL."""
        model, version = quote(self.model or "", safe="", errors=_AS_GIVEN), self.version
        if self.protocol is BenchProtocol.NATIVE:
            query = {"model": self.model, "version": version}
            given = {name: value for name, value in query.items() if value is not None}
            return with_query("/v1/predict", given)
        if self.protocol is BenchProtocol.TENSORFLOW:
            return f"/v1/models/{model}{f'/versions/{version}' if version else ''}:predict"
        if self.protocol is BenchProtocol.OPEN_INFERENCE:
            return f"/v2/models/{model}{f'/versions/{version}' if version else ''}/infer"
        return ""

    @property
    def content_type(self) -> str:
        """The type of the body."""
        return "application/json" if self.protocol in NEEDS_MODEL else "application/octet-stream"

    def body(self, image: bytes) -> bytes:
        """Return the body for an encoded image."""
        if self.protocol is BenchProtocol.TENSORFLOW:
            return b'{"instances": [{"b64": "%s"}]}' % base64.b64encode(image)
        if self.protocol is BenchProtocol.OPEN_INFERENCE:
            name = json.dumps(self.input_name).encode()
            start = b'{"inputs": [{"name": %s, "datatype": "BYTES", "shape": [1], "data": ["%s"]}]}'
            return start % (name, base64.b64encode(image))
        return image

    def rejects(self, body: bytes) -> bool:
        """Whether a response with status 200 says that the image has no prediction."""
        pattern = _REJECTED.get(self.protocol)
        return bool(pattern and pattern.search(body))


def error_in(body: bytes) -> tuple[str, str]:
    """Return the code and the sentence of an error's body, in the words of the service; each may be empty."""
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        return "", body[:_SHOWN].decode("utf-8", "replace").strip()
    said = read.get("detail") or read.get("error") or read.get("title") or ""
    code = read.get("code")
    return code if isinstance(code, str) else "", (said if isinstance(said, str) else json.dumps(said))[:_SHOWN]

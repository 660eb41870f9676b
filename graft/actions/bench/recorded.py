"""What came of each request: its latency, or why there is no prediction."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graft.actions.bench.protocols import RequestForm, error_in
from graft.traffic.clients import OK, Load
from graft.traffic.connection import LOST, TIMED_OUT, KeptConnection

_NO_STATUS = {LOST: "lost", TIMED_OUT: "timed_out"}
_REJECTED = "invalid_image"
_REJECTED_DETAIL = "The model has no prediction for the image (valid is false)."


@dataclass
class RequestFailure:
    """Requests that failed alike; `status` is 0 where there was no response. `detail` and `image` are of the first."""

    status: int
    code: str
    detail: str
    image: str
    count: int = 0

    @property
    def title(self) -> str:
        """The status and the code."""
        return " ".join(filter(None, (str(self.status or ""), self.code)))


@dataclass
class RecordedLoad(Load):
    """A load whose failures are told apart; `names` has the image of each request, by the request's identity."""

    form: RequestForm | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    failures: dict[tuple[int, str], RequestFailure] = field(default_factory=dict)

    def note(self, status: int, latency: float, request: bytes = b"", connection: KeptConnection | None = None) -> None:
        """Count a response, and look into one that may be a failure."""
        body = connection.body if connection else b""
        if status == OK and not (self.form and self.form.rejects(body)):
            super().note(status, latency)
            return
        self.statuses[status] += 1
        failure = self._failure(status, body, connection.problem if connection else "")
        known = self.failures.setdefault((status, failure.code), failure)
        known.image = known.image or self.names.get(id(request), "")
        known.count += 1

    def _failure(self, status: int, body: bytes, problem: str) -> RequestFailure:
        if status == OK:
            return RequestFailure(status, _REJECTED, _REJECTED_DETAIL, "")
        if status in _NO_STATUS:
            return RequestFailure(0, _NO_STATUS[status], f"{problem[:1].upper()}{problem[1:]}.", "")
        code, detail = error_in(body)
        return RequestFailure(status, code, detail, "")

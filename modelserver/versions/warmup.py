"""The warm-up requests of a version, replayed before it is served.

The first run of a signature is tens of times slower than the others (808 ms against 15 ms in TensorFlow Serving);
warm-up keeps callers from meeting it. A record that does not fit also shows that an export went wrong.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from contract.serving_messages import PredictionLog
from contract.versions import WARMUP
from modelserver.errors import LoadError, ServingError
from modelserver.model.version import Model
from modelserver.requests.handlers import CLASSIFY, PREDICT, REGRESS
from modelserver.requests.multi_inference import infer_all
from modelserver.versions.record_files import DamagedRecordError, records_of

_MAX_RECORDS = 1000
"""TensorFlow Serving refuses a version with more."""

_HANDLERS = {
    "predict_log": PREDICT.handle,
    "classify_log": CLASSIFY.handle,
    "regress_log": REGRESS.handle,
    "multi_inference_log": infer_all,
}
"""What handles a record, by the field of PredictionLog that holds it."""


def replay_warmup(model: Model, folder: Path) -> None:
    """Run every warm-up request of the version in `folder` on `model`.

    Session runs are skipped, for this server has no such call.

    Raises:
        LoadError: the file cannot be read, holds too many records, or one that does not fit the model.
    """
    for number, record in enumerate(_records(folder / WARMUP), 1):
        if number > _MAX_RECORDS:
            raise LoadError(f"{WARMUP} holds more than {_MAX_RECORDS} records.")
        _replay(model, record, number)


def first_predict_request(folder: Path) -> Any:
    """Return the first PredictRequest among the warm-up requests of the version in `folder`; None where there is none.

    Raises:
        LoadError: the file cannot be read.
    """
    path = folder / WARMUP
    logs = map(PredictionLog.FromString, _records(path) if path.exists() else ())
    try:
        return next((log.predict_log.request for log in logs if log.HasField("predict_log")), None)
    except DecodeError as error:
        raise LoadError(f"{WARMUP} holds something else than a PredictionLog: {error}") from error


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from records_of(path)
    except (DamagedRecordError, OSError) as error:
        raise LoadError(f"{WARMUP} cannot be read: {error}.") from error


def _replay(model: Model, record: bytes, number: int) -> None:
    try:
        log = PredictionLog.FromString(record)
        kind = log.WhichOneof("log_type")
        if kind in _HANDLERS:
            _HANDLERS[kind](model, getattr(log, kind).request)
    except (DecodeError, ServingError) as error:
        raise LoadError(f"Warm-up record {number} does not fit: {error}") from error

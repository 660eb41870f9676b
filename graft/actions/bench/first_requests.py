"""Whether a service predicts at all, before minutes are spent on it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from graft.actions.bench.protocols import BenchProtocol, error_in
from graft.actions.bench.target import BenchTarget
from graft.errors import CommandError
from graft.traffic.clients import OK
from graft.traffic.connection import LOST, TIMED_OUT, KeptConnection

_TRIES = 8
_LONGEST_WAIT_SECONDS = 5
_WHATEVER_IS_SENT = {301, 302, 303, 307, 308, 401, 403, 404, 405, 426, 501}
_WITH_PREDICTIONS = {
    BenchProtocol.NATIVE: {"predictions"},
    BenchProtocol.TENSORFLOW: {"predictions", "outputs"},
    BenchProtocol.OPEN_INFERENCE: {"outputs"},
}
"""What a response has; with `raw` it may be anything."""
_NO_CREDENTIALS, _NOT_FOUND = 401, 404


@dataclass(frozen=True)
class Served:
    """Which model and version responded, where the protocol says so."""

    model: str = ""
    version: str = ""


def first_prediction(target: BenchTarget, images: Sequence[tuple[str, bytes]]) -> Served:
    """Send images one by one until one is predicted; return which version did.

    Raises:
        CommandError: no service responds, or it predicts none of the first images.
    """
    return asyncio.run(_first_prediction(target, images))


async def _first_prediction(target: BenchTarget, images: Sequence[tuple[str, bytes]]) -> Served:
    connection = KeptConnection(target.endpoint)
    failed = ""
    try:
        for turn in range(_TRIES):
            name, content = images[turn % len(images)]
            status = await connection.send(target.request(content))
            if status == OK and not target.form.rejects(connection.body):
                return _served(target, connection.body)
            failed = f"{name}: {_checked(target, status, connection)}"
            if turn + 1 >= len(images) and not connection.retry_after:
                break
            await asyncio.sleep(min(connection.retry_after, _LONGEST_WAIT_SECONDS))
    finally:
        connection.close()
    raise CommandError(f"{target.url} predicts none of the first images, such as {failed}")


def _checked(target: BenchTarget, status: int, connection: KeptConnection) -> str:
    """Return why one image has no prediction.

    Raises:
        CommandError: the others would have none either.
    """
    if status in {LOST, TIMED_OUT}:
        raise CommandError(
            f"No service responds at {target.url} ({connection.problem}); start one with `graft up`, or give the URL "
            "of one."
        )
    if status == OK:
        return "the model has no prediction for it (valid is false)."
    code, detail = error_in(connection.body)
    said = detail or f"status {status}"
    if status not in _WHATEVER_IS_SENT:
        return f"{status} {code}".strip() + f", {said}"
    raise CommandError(f"{target.url} cannot predict: {said}{_hint(target, status, code)}")


def _hint(target: BenchTarget, status: int, code: str) -> str:
    if status == _NO_CREDENTIALS and not target.has_key:
        return " Set GRAFT_API_KEY to a key."
    if status == _NOT_FOUND and code in {"", "no_such_path"}:
        if target.form.protocol is BenchProtocol.RAW:
            return " (--protocol raw sends to the URL as it is.)"
        return (
            f" (POST {target.form.path} below the URL; is it --protocol {target.form.protocol} that is served there?)"
        )
    return ""


def _served(target: BenchTarget, body: bytes) -> Served:
    """Return the model and the version of a response, as far as it names them.

    Raises:
        CommandError: it is not one of the protocol, such as a page of another service.
    """
    given = Served(target.form.model or "", str(target.form.version or ""))
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    found = read if isinstance(read, dict) else {}
    wanted = _WITH_PREDICTIONS.get(target.form.protocol)
    if wanted and not wanted & found.keys():
        raise CommandError(
            f"What responds at {target.url} has no predictions as --protocol {target.form.protocol} has them; give the "
            "URL of a service that has, or another --protocol."
        )
    model = found.get("model", found.get("model_name"))
    version = found.get("version", found.get("model_version"))
    return Served(model if isinstance(model, str) else given.model, str(version or given.version))

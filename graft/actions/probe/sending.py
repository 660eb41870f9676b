"""One request as a caller sends it: a name to look up, a new connection, TLS, a key, and a deadline for all of it."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from graft.actions.given.authorities import trust_of
from graft.actions.given.query import with_query
from graft.actions.probe.failure import ProbeFailedError, Reason
from graft.errors import CommandError

_TOP = 5
_SHOWN = 200


@dataclass(frozen=True)
class ProbeTarget:
    """Where a probe sends its image; without a key file, the request has no key."""

    url: str
    timeout_seconds: float = 10.0
    api_key_file: Path | None = None
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    """Made once: reading the system's authorities takes longer than a prediction."""

    @property
    def address(self) -> str:
        """The URL without user, password and query, for logs."""
        url = httpx.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}".rstrip("/")


@dataclass(frozen=True)
class ProbedPrediction:
    """What came back: `digest` says which version's files, `top` has the probabilities of the most likely labels."""

    model: str
    version: str
    digest: str
    label: str
    top: dict[str, float]


def checked_target(url: str, timeout_seconds: float, api_key_file: Path | None, ca: Path | None) -> ProbeTarget:
    """Return a target that can be used.

    Raises:
        CommandError: the URL is none, or a file cannot be read.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CommandError(f"{url!r} is not a URL ({error}); write one such as https://images.example.com.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise CommandError(f"{url!r} is not the URL of a gateway; write one such as https://images.example.com.")
    target = ProbeTarget(url, timeout_seconds, api_key_file, trust_of(ca))
    try:
        _headers(target)
    except ProbeFailedError as error:
        raise CommandError(str(error)) from error
    return target


async def send_image(target: ProbeTarget, model: str | None, image: bytes) -> ProbedPrediction:
    """Send an image over a connection of its own, and return the prediction.

    Raises:
        ProbeFailedError: no prediction came back within the time.
    """
    headers = _headers(target)
    query: dict[str, str | int] = {"top_k": _TOP, **({"model": model} if model else {})}
    try:
        async with (
            asyncio.timeout(target.timeout_seconds),
            httpx.AsyncClient(
                base_url=target.url,
                headers=headers,
                verify=target.trust,
                trust_env=False,
                timeout=target.timeout_seconds,
            ) as client,
        ):
            response = await client.post(with_query("/v1/predict", query), content=image)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise ProbeFailedError("timeout", f"No response within {target.timeout_seconds:g} s.") from error
    except httpx.HTTPError as error:
        raise ProbeFailedError(_reason(error), f"{error or type(error).__name__}") from error
    return _prediction(response)


def _headers(target: ProbeTarget) -> dict[str, str]:
    """Return the headers of a request; the key is read each time, since keys are replaced."""
    headers = {"content-type": "application/octet-stream"}
    if target.api_key_file is None:
        return headers
    try:
        key = target.api_key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeFailedError("no_key", f"The key in {target.api_key_file} cannot be read ({error}).") from error
    if not key.isprintable() or not key:
        raise ProbeFailedError("no_key", f"{target.api_key_file} has to hold one API key, and nothing else.")
    return {**headers, "X-API-Key": key}


def _reason(error: BaseException) -> Reason:
    for each in _causes(error):
        if isinstance(each, socket.gaierror):
            return "dns"
        if isinstance(each, ssl.SSLError):
            return "tls"
    return "no_connection"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one error for each address of a name
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _prediction(response: httpx.Response) -> ProbedPrediction:
    body = _json(response)
    if not response.is_success:
        said = body.get("code") or response.reason_phrase
        raise ProbeFailedError("status", f"Status {response.status_code}: {said}.")
    try:
        found = body["predictions"][0]
        top = {str(each["label"]): float(each["probability"]) for each in found["top"]}
        return ProbedPrediction(
            body["model"], str(body["version"]), str(body.get("digest", "")), str(found["label"]), top
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ProbeFailedError(
            "unexpected_response", f"Status {response.status_code} without a prediction: {response.text[:_SHOWN]!r}."
        ) from error


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

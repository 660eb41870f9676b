"""Images on their way to a gateway: many in a request, several requests at a time, results in the order given."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import httpx

from graft.actions.given.query import with_query
from graft.actions.predict.form import ImagesForm
from graft.actions.predict.inputs import Input
from graft.errors import CommandError, ImageRefusedError

IMAGES_IN_A_REQUEST = 32
_BYTES_IN_A_REQUEST = 16 * 1024 * 1024
"""A gateway takes 20 MiB; a larger image goes alone, and the gateway says what it thinks of it."""
_IN_FLIGHT = 4
_TIMEOUT_SECONDS = 60
_MOST_WAITS = 20
_LONGEST_WAIT_SECONDS = 10.0
_ONE_AT_FAULT = {408, 413, 415, 422}
_LATER = {429, 503}
_NO_CREDENTIALS = 401
_TOO_LARGE = 413


@dataclass(frozen=True)
class Outcome:
    """What came of one image: `top` has labels and probabilities, the most likely first; or `detail` says why not."""

    name: str
    version: str = ""
    top: Sequence[tuple[str, float]] = ()
    code: str = ""
    detail: str = ""

    @property
    def predicted(self) -> bool:
        """Whether there is a prediction."""
        return bool(self.top)


@dataclass(frozen=True)
class GatewayTarget:
    """Where images are sent, and with which query."""

    url: str
    api_key: str | None = None
    query: Mapping[str, str | int] = field(default_factory=dict)

    def client(self) -> httpx.AsyncClient:
        """Return a client; environment variables for proxies are not followed.

        Raises:
            CommandError: the URL is not one.
        """
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        verify = not self.url.lower().startswith("http://")  # reading all certificates takes 40 ms
        try:
            address = httpx.URL(self.url)
            if address.scheme not in {"http", "https"} or not address.host:
                raise CommandError(f"--url takes a gateway's URL, such as http://127.0.0.1:8000, not {self.url}.")
            return httpx.AsyncClient(
                base_url=self.url, timeout=_TIMEOUT_SECONDS, headers=headers, trust_env=False, verify=verify
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise CommandError(f"--url takes a gateway's URL, not {self.url}: {error}") from error


@dataclass
class _Batch:
    """Images that go together, with their places among all."""

    places: list[int] = field(default_factory=list)
    images: list[tuple[str, bytes]] = field(default_factory=list)
    size: int = 0


class SentImages:
    """What came of each image so far; `outcomes` has None for one that was not sent yet."""

    def __init__(self, inputs: Sequence[Input], on_done: Callable[[int], None] = lambda _: None) -> None:
        self._inputs = inputs
        self._on_done = on_done
        self.outcomes: list[Outcome | None] = [None] * len(inputs)

    async def fetch(self, gateway: GatewayTarget) -> None:
        """Send all images, several requests at a time.

        Raises:
            CommandError: no gateway responds, or it cannot predict at all.
        """
        batches = self._batches()
        turn = asyncio.Lock()

        async def work(client: httpx.AsyncClient) -> None:
            while True:
                async with turn:  # one reads files while the others wait for responses
                    batch = await _aside(lambda: next(batches, None))
                if batch is None:
                    return
                for place, outcome in zip(batch.places, await _sent(client, gateway, batch.images), strict=True):
                    self._note(place, outcome)

        async with gateway.client() as client:
            workers = [asyncio.create_task(work(client)) for _ in range(_IN_FLIGHT)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()

    def _note(self, place: int, outcome: Outcome) -> None:
        self.outcomes[place] = outcome
        self._on_done(1)

    def _batches(self) -> Iterator[_Batch]:
        batch = _Batch()
        for place, each in enumerate(self._inputs):
            try:
                content = each.read()
            except ImageRefusedError as error:
                self._note(place, Outcome(each.name, code="unreadable", detail=str(error)))
                continue
            if batch.images and (
                len(batch.images) == IMAGES_IN_A_REQUEST or batch.size + len(content) > _BYTES_IN_A_REQUEST
            ):
                yield batch
                batch = _Batch()
            batch.places.append(place)
            batch.images.append((each.name, content))
            batch.size += len(content)
        if batch.images:
            yield batch


async def _aside(call: Callable[[], _Batch | None]) -> _Batch | None:
    """Run a call in a thread that Ctrl-C does not wait for: a pipe or another server may take for ever."""
    loop, done, found = asyncio.get_running_loop(), asyncio.Event(), list[_Batch | None]()

    def run() -> None:
        try:
            found.append(call())
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

    Thread(target=run, daemon=True).start()
    await done.wait()
    return found[0]


async def _sent(
    client: httpx.AsyncClient, gateway: GatewayTarget, images: Sequence[tuple[str, bytes]]
) -> list[Outcome]:
    """Return what came of images that go together; in halves where the gateway takes fewer."""
    response = await _response(client, gateway, [content for _, content in images])
    body = _json(response)
    if response.is_success:
        version = str(body["version"])
        return [_outcome(name, version, found) for (name, _), found in zip(images, body["predictions"], strict=True)]
    if len(images) == 1 and response.status_code in _ONE_AT_FAULT:
        return [Outcome(images[0][0], code=str(body.get("code", "")), detail=str(body.get("detail", "")))]
    if len(images) > 1 and response.status_code == _TOO_LARGE:
        half = len(images) // 2
        return [*await _sent(client, gateway, images[:half]), *await _sent(client, gateway, images[half:])]
    said = body.get("detail") or f"{response.status_code} {response.reason_phrase}"
    raise CommandError(f"The gateway at {gateway.url} cannot predict: {said}{_hint(response, body, gateway)}")


def _hint(response: httpx.Response, body: Mapping[str, Any], gateway: GatewayTarget) -> str:
    if response.status_code == _NO_CREDENTIALS and not gateway.api_key:
        return " Set GRAFT_API_KEY to a key."
    if body.get("code", "no_such_path") == "no_such_path":
        end = "" if "code" in body else "."
        return f"{end} --url takes the address of a gateway, without /v1/predict."
    return ""


async def _response(client: httpx.AsyncClient, gateway: GatewayTarget, contents: Sequence[bytes]) -> httpx.Response:
    """Send images, and again later while the gateway says that it has no room."""
    form = ImagesForm(contents)
    for attempt in range(_MOST_WAITS):
        try:
            path = with_query("/v1/predict", gateway.query)
            response = await client.post(path, content=form.pieces(), headers=form.headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CommandError(
                f"No gateway responds at {gateway.url} ({error or type(error).__name__}); start one with `graft up`, "
                "or give --url."
            ) from error
        # a response and its stream refer to each other, and would keep the images until Python looks for garbage
        response.request.stream = response.stream = httpx.ByteStream(b"")
        if response.status_code not in _LATER or "retry-after" not in response.headers or attempt == _MOST_WAITS - 1:
            break
        await asyncio.sleep(min(_seconds(response.headers["retry-after"]), _LONGEST_WAIT_SECONDS))
    return response


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 1.0


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _outcome(name: str, version: str, found: Mapping[str, Any]) -> Outcome:
    if "error" in found:
        return Outcome(name, version, code=found["error"]["code"], detail=found["error"]["detail"])
    return Outcome(name, version, [(each["label"], each["probability"]) for each in found["top"]])

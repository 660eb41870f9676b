"""Good callers: images at random times, as those of many people, whatever came of those before."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx

from benchmarks.outages.processes import unverified
from graft.traffic.connection import LOST

_PATIENCE_SECONDS = 30.0
_SEED = 1


class Traffic:
    """Sends images to the URLs in turn, `rate` a second, from entering to leaving; `statuses` counts the responses.

    `credentials` are headers, used in turn. The times are those of a Poisson process.
    """

    def __init__(
        self,
        urls: Sequence[str],
        images: Sequence[bytes],
        rate: float,
        credentials: Sequence[Mapping[str, str]] = ({},),
    ) -> None:
        self.statuses: Counter[int] = Counter()
        self._urls, self._images, self._rate, self._credentials = urls, images, rate, credentials
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()), name="traffic")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    async def _send_all(self) -> None:
        chance = random.Random(_SEED)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        number = 0
        async with httpx.AsyncClient(
            verify=unverified(), trust_env=False, timeout=_PATIENCE_SECONDS, limits=limits
        ) as client:
            sending: set[asyncio.Task[None]] = set()
            while not self._over.is_set():
                await asyncio.sleep(chance.expovariate(self._rate))
                task = asyncio.create_task(self._send(client, number, chance.choice(self._images)))
                sending.add(task)
                task.add_done_callback(sending.discard)
                number += 1
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _send(self, client: httpx.AsyncClient, number: int, image: bytes) -> None:
        url = self._urls[number % len(self._urls)]
        headers = {"content-type": "image/jpeg", **self._credentials[number % len(self._credentials)]}
        try:
            response = await client.post(f"{url}/v1/predict", content=image, headers=headers)
        except httpx.TransportError:
            self.statuses[LOST] += 1
        else:
            self.statuses[response.status_code] += 1

"""Which versions of one model are served, and how each that it has seen fared."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.versions import published_versions
from modelserver.errors import LoadError, ModelNotFoundError
from modelserver.loaded_model import LoadedModel
from modelserver.model_configs import ModelConfig

logger = logging.getLogger(__name__)

_FolderState = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class ServedVersion:
    """A version that is AVAILABLE. Whoever holds it may finish on it after a swap."""

    number: int
    model: LoadedModel


@dataclass(frozen=True)
class VersionStatus:
    """Where a version is in its life; `error` says why, when it ended before it was served."""

    number: int
    state: Literal["START", "LOADING", "AVAILABLE", "END"]
    error: LoadError | None = None


class VersionWatcher:
    """Looks at a model's base path again and again and serves the versions its policy wants, as far as they load.

    A version is loaded in a thread, aside from those that are served, and takes its place in one assignment together
    with the end of those that are no longer wanted. One that does not load is left alone until its folder changes;
    what was served stays, or at the start, when there is nothing to stay, the next older version is tried. An empty
    or missing base path changes nothing.

    `loading` bounds how many versions are loaded at a time, over all watchers that share it. All methods belong to
    one event loop; only `load` runs in other threads.
    """

    def __init__(
        self,
        config: ModelConfig,
        poll_wait_seconds: float,
        load: Callable[[Path], LoadedModel],
        loading: asyncio.Semaphore,
    ) -> None:
        self._name = config.name
        self._base_path = config.base_path
        self._policy = config.policy
        self._poll_wait_seconds = poll_wait_seconds
        self._load = load
        self._loading = loading
        self._served: dict[int, ServedVersion] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._broken: dict[int, _FolderState] = {}
        self._last_note = ""

    async def watch(self) -> None:
        """Look at the base path now and after every wait, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._poll_wait_seconds)

    def find(self, number: int | None) -> ServedVersion:
        """Return a served version; None asks for the newest of them.

        Raises:
            ModelNotFoundError: this version is not served, or none is yet.
        """
        served = self._served.get(max(self._served, default=0) if number is None else number)
        if served is None:
            asked = f"Latest({self._name})" if number is None else f"Specific({self._name}, {number})"
            raise ModelNotFoundError(f"Servable not found for request: {asked}")
        return served

    def statuses(self, number: int | None) -> list[VersionStatus]:
        """Return the status of one version or of all seen since the start, newest first; empty if there was none yet.

        Raises:
            ModelNotFoundError: a version that was never seen.
        """
        if number is None:
            return [self._statuses[seen] for seen in sorted(self._statuses, reverse=True)]
        if number not in self._statuses:
            raise ModelNotFoundError(f"Could not find version {number} of model {self._name}")
        return [self._statuses[number]]

    async def _look(self) -> None:
        try:
            published = await asyncio.to_thread(published_versions, self._base_path)
        except OSError as error:  # a file system may be away for a moment; what is loaded does not need it
            self._note_once(f"{self._base_path} cannot be read: {error.strerror}")
            return
        wanted = self._policy.wanted(published)
        if not wanted:
            self._note_once(f"no version of {self._name} to serve under {self._base_path}; waiting")
            return
        self._last_note = ""
        for number in wanted:
            self._statuses.setdefault(number, VersionStatus(number, "START"))  # also those that wait for their turn
        for number in wanted:
            await self._try_to_serve(number, wanted)
        self._end_those_not_in(wanted)
        for number in self._policy.allowed(published)[len(wanted) :]:
            if self._served:
                return
            await self._try_to_serve(number, wanted)

    async def _try_to_serve(self, number: int, wanted: Collection[int]) -> None:
        if number in self._served:
            return
        folder = self._base_path / str(number)
        state = await asyncio.to_thread(_folder_state, folder)
        if self._broken.get(number) == state:
            return
        self._statuses[number] = VersionStatus(number, "LOADING")
        async with self._loading:
            started = time.monotonic()
            try:
                model = await asyncio.to_thread(self._load, folder)
            except LoadError as error:
                self._broken[number] = state
                self._statuses[number] = VersionStatus(number, "END", error)
                stays = ", ".join(map(str, sorted(self._served))) or "nothing"
                logger.error("%s version %d cannot be served: %s (still served: %s)", self._name, number, error, stays)
                return
        seconds = time.monotonic() - started
        self._served = {**self._served, number: ServedVersion(number, model)}
        self._statuses[number] = VersionStatus(number, "AVAILABLE")
        self._broken.pop(number, None)
        self._end_those_not_in(wanted)
        logger.info("%s version %d is AVAILABLE (loaded in %.1f s)", self._name, number, seconds)

    def _end_those_not_in(self, wanted: Collection[int]) -> None:
        """Stop serving what is no longer wanted, once something that is wanted is served."""
        unwanted = set(self._served).difference(wanted)
        if len(unwanted) == len(self._served):
            return
        self._served = {number: version for number, version in self._served.items() if number in wanted}
        for number in unwanted:
            self._statuses[number] = VersionStatus(number, "END")
            logger.info("%s version %d is no longer served", self._name, number)

    def _note_once(self, note: str) -> None:
        if note != self._last_note:
            logger.warning("%s", note)
        self._last_note = note


def _folder_state(folder: Path) -> _FolderState:
    """Return what changes when any file under the folder does."""
    try:
        stats = [(str(path), path.stat()) for path in (folder, *sorted(folder.rglob("*")))]
    except OSError:  # it is being removed or replaced
        return ()
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)

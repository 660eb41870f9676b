"""Which version of the model is served, and how each one it has seen fared."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.versions import published_versions
from modelserver.errors import LoadError, ModelNotFoundError
from modelserver.loaded_model import LoadedModel

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
    state: Literal["LOADING", "AVAILABLE", "END"]
    error: LoadError | None = None


class VersionWatcher:
    """Looks at a base path again and again and serves the newest version that loads.

    A version is loaded in a thread, aside from the one that is served, and takes its place in one assignment. One
    that does not load is left alone until its folder changes; what was served stays, or at the start, when there
    is nothing to stay, the next older version is tried. An empty or missing base path changes nothing.

    All methods belong to one event loop; only `load` runs in other threads.
    """

    def __init__(
        self,
        model_name: str,
        base_path: Path,
        poll_wait_seconds: float,
        load: Callable[[Path], LoadedModel],
    ) -> None:
        self._model_name = model_name
        self._base_path = base_path
        self._poll_wait_seconds = poll_wait_seconds
        self._load = load
        self._served: ServedVersion | None = None
        self._statuses: dict[int, VersionStatus] = {}
        self._broken: dict[int, _FolderState] = {}
        self._last_note = ""

    async def watch(self) -> None:
        """Look at the base path now and after every wait, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._poll_wait_seconds)

    def find(self, model_name: str, number: int | None) -> ServedVersion:
        """Return the served version, if it is the one that was asked for; None asks for the latest.

        Raises:
            ModelNotFoundError: another model, another version, or nothing is served yet.
        """
        if model_name == self._model_name and self._served and number in {None, self._served.number}:
            return self._served
        asked = f"Latest({model_name})" if number is None else f"Specific({model_name}, {number})"
        raise ModelNotFoundError(f"Servable not found for request: {asked}")

    def statuses(self, model_name: str, number: int | None) -> list[VersionStatus]:
        """Return the status of one version or of all seen since the start, newest first.

        Empty where the model is this one but has had no version yet.

        Raises:
            ModelNotFoundError: another model, or a version that was never seen.
        """
        if model_name != self._model_name:
            raise ModelNotFoundError(f"Could not find any versions of model {model_name}")
        if number is None:
            return [self._statuses[seen] for seen in sorted(self._statuses, reverse=True)]
        if number not in self._statuses:
            raise ModelNotFoundError(f"Could not find version {number} of model {model_name}")
        return [self._statuses[number]]

    async def _look(self) -> None:
        try:
            published = await asyncio.to_thread(published_versions, self._base_path)
        except OSError as error:  # a file system may be away for a moment; what is loaded does not need it
            self._note_once(f"{self._base_path} cannot be read: {error.strerror}")
            return
        if not published:
            self._note_once(f"no version of {self._model_name} under {self._base_path}; waiting")
            return
        self._last_note = ""
        for number in reversed(published):
            if self._served and self._served.number == number:
                return
            if await self._try_to_serve(number) or self._served:
                return

    async def _try_to_serve(self, number: int) -> bool:
        folder = self._base_path / str(number)
        state = await asyncio.to_thread(_folder_state, folder)
        if self._broken.get(number) == state:
            return False
        self._statuses[number] = VersionStatus(number, "LOADING")
        started = time.monotonic()
        try:
            model = await asyncio.to_thread(self._load, folder)
        except LoadError as error:
            self._broken[number] = state
            self._statuses[number] = VersionStatus(number, "END", error)
            stays = f"version {self._served.number} stays" if self._served else "nothing is served"
            logger.error("%s version %d cannot be served: %s (%s)", self._model_name, number, error, stays)
            return False
        self._swap(ServedVersion(number, model))
        seconds = time.monotonic() - started
        logger.info("%s version %d is AVAILABLE (loaded in %.1f s)", self._model_name, number, seconds)
        return True

    def _swap(self, new: ServedVersion) -> None:
        old, self._served = self._served, new
        self._statuses[new.number] = VersionStatus(new.number, "AVAILABLE")
        self._broken.pop(new.number, None)
        if old:
            self._statuses[old.number] = VersionStatus(old.number, "END")
            logger.info("%s version %d is no longer served", self._model_name, old.number)

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

"""Which versions of one model are served, and what became of each that was seen."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelserver.errors import LoadError, ModelNotFoundError
from modelserver.low_priority import run_at_low_priority
from modelserver.model.version import Model
from modelserver.versions.conditions import Changes
from modelserver.versions.configs import ModelConfig
from modelserver.versions.folders import version_folders
from modelserver.versions.retries import NO_RETRIES, FailedLoads, LoadRetries, folder_state

logger = logging.getLogger(__name__)

_State = Literal["START", "LOADING", "AVAILABLE", "END"]


@dataclass(frozen=True)
class ServedVersion:
    """A version that is AVAILABLE. A request that holds it may finish on it after a swap."""

    number: int
    model: Model


@dataclass(frozen=True)
class ServableStatus:
    """The state of a version; `error` says why its last load failed: retries go on while it is LOADING."""

    number: int
    state: _State
    error: LoadError | None = None


class VersionWatcher:
    """Checks a model's base path repeatedly and serves the versions of its policy, if they load.

    A version is loaded in a thread of low priority, and takes its place in one assignment together
    with the end of those that are no longer wanted. One that does not load is retried as `retries` says, and
    after that when its folder changes; what was served stays, or at the start, when nothing is served yet, the next
    older version is tried. As in TensorFlow Serving, a missing base path changes nothing, and one without any wanted
    version ends all.

    `loading` bounds how many versions are loaded at a time, over all watchers that share it; every change is noted
    in `changes`. All methods belong to one event loop; only `load` runs in other threads.
    """

    def __init__(
        self,
        config: ModelConfig,
        poll_wait_seconds: float,
        load: Callable[[Path], Model],
        loading: asyncio.Semaphore,
        *,
        retries: LoadRetries = NO_RETRIES,
        changes: Changes | None = None,
    ) -> None:
        self.name = config.name
        self.config: ModelConfig | None = config
        """What is wanted; None once the model was taken out of the configuration."""
        self._poll_wait_seconds = poll_wait_seconds
        self._load = load
        self._loading = loading
        self._changes = changes or Changes()
        self._served: dict[int, ServedVersion] = {}
        self._folders: dict[int, Path] = {}  # where the served versions came from
        self._statuses: dict[int, ServableStatus] = {}
        self._failed = FailedLoads(retries)
        self._looked_for: ModelConfig | None = None
        self._wake = asyncio.Event()
        self._last_note = ""

    async def watch(self) -> None:
        """Check the base path now, after every wait and whenever the configuration changes, until cancelled.

        With a wait of 0 seconds only retries and another configuration cause another check.
        """
        while True:
            self._wake.clear()
            if self.config is not None:
                await self._look(self.config)
            await self._pause()

    def configure(self, config: ModelConfig | None) -> None:
        """Serve by another configuration from now on, or with None end all versions."""
        if config == self.config:
            return
        self.config = config
        self._failed.forget()
        if config is None:
            self._end(list(self._served))
            self._give_up_those_not_in({})
            self._looked_for = None
        self._wake.set()
        self._changes.note()

    @property
    def has_looked(self) -> bool:
        """Whether every version that the present configuration wants was tried at least once."""
        return self._looked_for is self.config

    @property
    def serves_any(self) -> bool:
        """Whether a version is AVAILABLE."""
        return bool(self._served)

    def serves(self, number: int) -> bool:
        """Return whether a version is AVAILABLE."""
        return number in self._served

    def find(self, number: int | None) -> ServedVersion:
        """Return a served version; None means the newest of them.

        Raises:
            ModelNotFoundError: this version is not served, or none is yet.
        """
        served = self._served.get(max(self._served, default=0) if number is None else number)
        if served is None:
            missing = f"Latest({self.name})" if number is None else f"Specific({self.name}, {number})"
            raise ModelNotFoundError(f"Servable not found for request: {missing}")
        return served

    def statuses(self, number: int | None) -> list[ServableStatus]:
        """Return the status of one version or of all seen since the start, newest first; empty if there was none yet.

        Raises:
            ModelNotFoundError: a version that was never seen.
        """
        if number is None:
            return [self._statuses[seen] for seen in sorted(self._statuses, reverse=True)]
        if number not in self._statuses:
            raise ModelNotFoundError(f"Could not find version {number} of model {self.name}")
        return [self._statuses[number]]

    async def _look(self, config: ModelConfig) -> None:
        with contextlib.suppress(_SupersededError):
            await self._serve_what_is_wanted(config)
            self._looked_for = config
            self._changes.note()

    async def _serve_what_is_wanted(self, config: ModelConfig) -> None:
        try:
            published = await asyncio.to_thread(version_folders, config.base_path)
        except OSError as error:  # a file system may be away for a moment; what is loaded does not need it
            self._note_once(f"{config.base_path} cannot be read: {error.strerror}")
            return
        self._go_on_only_for(config)
        self._failed.keep(published or {})
        if published is not None:
            self._forgive_those_not_in(published)
        wanted = config.policy.wanted(list(published or ()))
        if not wanted:
            self._note_once(f"no version of {self.name} to serve under {config.base_path}; waiting")
            if published is not None:
                self._end(list(self._served))
            return
        self._last_note = ""
        await self._try_each(config, wanted, published or {})

    async def _try_each(self, config: ModelConfig, numbers: list[int], published: Mapping[int, Path]) -> None:
        wanted = {number: published[number] for number in numbers}
        self._give_up_those_not_in(wanted)
        for number in wanted:
            self._statuses.setdefault(number, ServableStatus(number, "START"))  # also those that wait for their turn
        for number, folder in wanted.items():
            await self._try_to_serve(config, number, folder, wanted)
        self._end_those_not_in(wanted)
        for number in config.policy.allowed(list(published))[len(wanted) :]:
            if self._served:
                return
            await self._try_to_serve(config, number, published[number], wanted)

    async def _try_to_serve(self, config: ModelConfig, number: int, folder: Path, wanted: Mapping[int, Path]) -> None:
        if self._folders.get(number) == folder:
            return
        state = await asyncio.to_thread(folder_state, folder)
        if not self._failed.is_due(number, state):
            return
        if number not in self._served:  # with another base path, the version of the same number is still served
            self._set_status(ServableStatus(number, "LOADING", self._failed.error(number)))
        async with self._loading:
            self._go_on_only_for(config, number)
            started = time.monotonic()
            try:
                model = await run_at_low_priority(self._load, folder)
            except LoadError as error:
                self._remember_failure(number, state, error)
                return
        if self.config is None or self.config.base_path != config.base_path:
            self._go_on_only_for(config, number)
        self._serve(number, folder, model)
        self._go_on_only_for(config)
        self._end_those_not_in(wanted)
        logger.info("%s version %d is AVAILABLE (loaded in %.1f s)", self.name, number, time.monotonic() - started)

    def _go_on_only_for(self, config: ModelConfig, number: int | None = None) -> None:
        """Give up a check whose configuration was replaced meanwhile; the next one begins at once."""
        if self.config is config:
            return
        if number is not None and number not in self._served:
            self._set_status(ServableStatus(number, "END"))
        raise _SupersededError

    def _serve(self, number: int, folder: Path, model: Model) -> None:
        self._served = {**self._served, number: ServedVersion(number, model)}
        self._folders[number] = folder
        self._failed.forget(number)
        self._set_status(ServableStatus(number, "AVAILABLE"))

    def _remember_failure(self, number: int, state: object, error: LoadError) -> None:
        self._failed.add(number, state, error)
        without: _State = "LOADING" if self._failed.will_retry(number) else "END"
        self._set_status(ServableStatus(number, "AVAILABLE" if number in self._served else without, error))
        stays = ", ".join(map(str, sorted(self._served))) or "nothing"
        logger.error("%s version %d cannot be served: %s (still served: %s)", self.name, number, error, stays)

    def _end_those_not_in(self, wanted: Mapping[int, Path]) -> None:
        """Stop serving what is no longer wanted, once something that is wanted is served."""
        unwanted = [number for number in self._served if wanted.get(number) != self._folders[number]]
        if len(unwanted) < len(self._served):
            self._end(unwanted)

    def _give_up_those_not_in(self, wanted: Mapping[int, Path]) -> None:
        """End those that were to be served but are no longer wanted."""
        for number, status in list(self._statuses.items()):
            if status.state in {"START", "LOADING"} and number not in wanted:
                self._set_status(ServableStatus(number, "END", status.error))

    def _forgive_those_not_in(self, published: Mapping[int, Path]) -> None:
        """End those that failed and were removed without their error, as nothing more is to be done about them."""
        for number, status in list(self._statuses.items()):
            if status.error is not None and number not in published and number not in self._served:
                self._set_status(ServableStatus(number, "END"))

    def _end(self, numbers: list[int]) -> None:
        self._served = {number: version for number, version in self._served.items() if number not in numbers}
        for number in numbers:
            del self._folders[number]
            self._set_status(ServableStatus(number, "END", self._statuses[number].error))
            logger.info("%s version %d is no longer served", self.name, number)

    def _set_status(self, status: ServableStatus) -> None:
        self._statuses[status.number] = status
        self._changes.note()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_wait_seconds or self._failed.seconds_to_next()):
                await self._wake.wait()

    def _note_once(self, note: str) -> None:
        if note != self._last_note:
            logger.warning("%s", note)
        self._last_note = note


class _SupersededError(Exception):
    """The configuration changed during a check."""

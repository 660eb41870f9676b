"""Another configuration for a server that runs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from modelserver.errors import LoadError, ServingError, SettingError
from modelserver.versions.configs import ModelConfig
from modelserver.versions.served_models import ServedModels

logger = logging.getLogger(__name__)


class Reloading:
    """Applies configurations while the server runs, each as a whole.

    TensorFlow Serving waits without end for a model that has nothing to serve, and every later reload waits behind
    it. Here a reload whose base path is missing is refused at once, and no reload waits for another: a younger one
    ends the older one's wait.
    """

    def __init__(self, models: ServedModels, *, allow_unavailable_labels: bool) -> None:
        self._models = models
        self._allow_unavailable_labels = allow_unavailable_labels
        self._youngest: object = None
        self._running: set[asyncio.Task[None]] = set()

    async def apply(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models and no others; return once each of their versions was loaded or failed to.

        It goes on when the caller gives up. Labels move at the end, all or none.

        Raises:
            SettingError: a base path that is new is missing, and nothing was changed; or a label names a version
                that is not served, and only the labels were not changed; or another reload came meanwhile.
            LoadError: a model that is new has no version that could be loaded; labels were not changed.
        """
        task = asyncio.create_task(self._apply(configs))
        self._running.add(task)
        task.add_done_callback(self._forget)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel what still runs."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _apply(self, configs: Sequence[ModelConfig]) -> None:
        new = [config for config in configs if self._models.base_path(config.name) != config.base_path]
        for config in new:
            await _check_base_path(config)
        this = self._youngest = object()
        self._models.configure(configs)
        self._models.changes.note()
        await self._models.changes.until(lambda: self._models.has_looked() or self._youngest is not this)
        if self._youngest is not this:
            raise SettingError("Another reload came before all versions of this one were loaded, and replaced it.")
        unserved = set(self._models.unserved())
        if missing := [self._explain(config) for config in new if config.name in unserved]:
            raise LoadError(f"Some models did not become available: {{{', '.join(missing)}}}")
        self._models.labels.replace(configs, self._models.is_served, allow_unavailable=self._allow_unavailable_labels)
        self._models.changes.note()

    def _explain(self, config: ModelConfig) -> str:
        error = next((status.error for status in self._models.statuses(config.name, None) if status.error), None)
        return f"{config.name}: {error or f'no version to serve under {config.base_path}'}"

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # so that it counts as seen, although the caller may be gone


async def _check_base_path(config: ModelConfig) -> None:
    if not await asyncio.to_thread(config.base_path.is_dir):
        raise SettingError(
            f"Could not find base path {config.base_path} for servable {config.name}; nothing was changed."
        )


async def poll_file(
    path: Path,
    read: Callable[[Path], Sequence[ModelConfig]],
    reloading: Reloading,
    applied: Sequence[ModelConfig],
    wait_seconds: float,
) -> None:
    """Look every `wait_seconds` whether the file at `path` has other models than were `applied`, until cancelled.

    A file that cannot be read or applied changes nothing, is tried again at the next look, and the error is logged
    once. A reload by request holds until the file changes.
    """
    fault = ""
    while True:
        await asyncio.sleep(wait_seconds)
        try:
            configs = await asyncio.to_thread(read, path)
            if configs == applied:
                fault = ""
                continue
            await reloading.apply(configs)
        except ServingError as error:
            if str(error) != fault:
                fault = str(error)
                logger.error("%s is not applied: %s", path, fault)
        else:
            applied, fault = configs, ""
            logger.info("%s is applied: %s", path, ", ".join(config.name for config in configs))

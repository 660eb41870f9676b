"""All models of one server."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from modelserver.errors import ModelNotFoundError
from modelserver.model.version import Model
from modelserver.versions.conditions import Changes
from modelserver.versions.configs import ModelConfig
from modelserver.versions.labels import VersionLabels
from modelserver.versions.retries import NO_RETRIES, LoadRetries
from modelserver.versions.watcher import ServableStatus, ServedVersion, VersionWatcher

_LOADS_AT_A_TIME = 1
"""Loading is mostly Python, which threads do not speed up; and a load beside another needs the memory of both."""


class ServedModels:
    """Finds the version of a request, by number, by label or as the newest; texts as TensorFlow Serving's.

    A model that was taken out keeps its watcher, which knows what became of its versions. All methods belong to one
    event loop.
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        poll_wait_seconds: float,
        load: Callable[[Path], Model],
        retries: LoadRetries = NO_RETRIES,
    ) -> None:
        self._poll_wait_seconds = poll_wait_seconds
        self._load = load
        self._retries = retries
        self._loading = asyncio.Semaphore(_LOADS_AT_A_TIME)
        self._watching: asyncio.TaskGroup | None = None
        self._watchers: dict[str, VersionWatcher] = {}
        self.labels = VersionLabels(configs)
        self.changes = Changes()
        """Noted whenever a version changes its state, or what is wanted was looked for."""
        self.configure(configs)

    async def watch(self) -> None:
        """Watch the base path of every model, also of those that are added later, until cancelled."""
        async with asyncio.TaskGroup() as self._watching:
            for watcher in self._watchers.values():
                self._watching.create_task(watcher.watch())
            await asyncio.Event().wait()  # for more

    def configure(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on, and no others; labels stay."""
        wanted = {config.name: replace(config, labels={}) for config in configs}
        for name, watcher in self._watchers.items():
            watcher.configure(wanted.get(name))
        for name, config in wanted.items():  # in the order of the configuration: the first is loaded first
            if name not in self._watchers:
                self._add(config)

    @property
    def names(self) -> list[str]:
        """The names of the models that are configured."""
        return [name for name, watcher in self._watchers.items() if watcher.config is not None]

    def base_path(self, model_name: str) -> Path | None:
        """Return where the versions of a model are looked for; None where there is no such model."""
        watcher = self._watchers.get(model_name)
        return watcher.config.base_path if watcher and watcher.config else None

    def unserved(self) -> list[str]:
        """Return the names of the configured models that have no AVAILABLE version."""
        return [name for name in self.names if not self._watchers[name].serves_any]

    def is_served(self, model_name: str, number: int) -> bool:
        """Return whether a version is AVAILABLE."""
        return model_name in self._watchers and self._watchers[model_name].serves(number)

    def has_looked(self) -> bool:
        """Return whether each version that the present configuration wants was tried at least once."""
        return all(watcher.has_looked for watcher in self._watchers.values())

    def find(self, model_name: str, number: int | None) -> ServedVersion:
        """Return a served version of a model; None means the newest.

        Raises:
            ModelNotFoundError: no such model, no such version, or nothing is served yet.
        """
        if model_name not in self._watchers:
            wanted = f"Latest({model_name})" if number is None else f"Specific({model_name}, {number})"
            raise ModelNotFoundError(f"Servable not found for request: {wanted}")
        return self._watchers[model_name].find(number)

    def find_labelled(self, model_name: str, label: str) -> ServedVersion:
        """Return the served version that has a label.

        Raises:
            BadInputError: the model has no such label, or there is no such model.
            ModelNotFoundError: the version with the label is not served.
        """
        return self.find(model_name, self.labels.number(model_name, label))

    def statuses(self, model_name: str, number: int | None) -> list[ServableStatus]:
        """Return the status of one version or of all seen since the start, newest first.

        Empty where the model is known but has had no version yet.

        Raises:
            ModelNotFoundError: no such model, or a version that was never seen.
        """
        if model_name not in self._watchers:
            raise ModelNotFoundError(f"Could not find any versions of model {model_name}")
        return self._watchers[model_name].statuses(number)

    def _add(self, config: ModelConfig) -> None:
        watcher = VersionWatcher(
            config, self._poll_wait_seconds, self._load, self._loading, retries=self._retries, changes=self.changes
        )
        self._watchers[config.name] = watcher
        if self._watching is not None:
            self._watching.create_task(watcher.watch())

"""All models of one server."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from modelserver.errors import BadInputError, ModelNotFoundError
from modelserver.loaded_model import LoadedModel
from modelserver.model_configs import ModelConfig
from modelserver.version_watcher import ServedVersion, VersionStatus, VersionWatcher

_LOADS_AT_A_TIME = 1
"""Loading is mostly Python, which threads do not speed up; and a load beside another needs the memory of both."""


class ServedModels:
    """Finds the version that a request asks for, by number, by label or as the newest; texts as TensorFlow Serving's.

    All methods belong to one event loop.
    """

    def __init__(
        self, configs: Sequence[ModelConfig], poll_wait_seconds: float, load: Callable[[Path], LoadedModel]
    ) -> None:
        loading = asyncio.Semaphore(_LOADS_AT_A_TIME)
        self._watchers = {config.name: VersionWatcher(config, poll_wait_seconds, load, loading) for config in configs}
        self._labels = {config.name: config.labels for config in configs}

    async def watch(self) -> None:
        """Watch the base path of every model, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watcher in self._watchers.values():
                group.create_task(watcher.watch())

    def find(self, model_name: str, number: int | None) -> ServedVersion:
        """Return a served version of a model; None asks for the newest.

        Raises:
            ModelNotFoundError: no such model, no such version, or nothing is served yet.
        """
        if model_name not in self._watchers:
            asked = f"Latest({model_name})" if number is None else f"Specific({model_name}, {number})"
            raise ModelNotFoundError(f"Servable not found for request: {asked}")
        return self._watchers[model_name].find(number)

    def find_labelled(self, model_name: str, label: str) -> ServedVersion:
        """Return the served version that has a label.

        Raises:
            BadInputError: the model has no such label, or there is no such model.
            ModelNotFoundError: the version with the label is not served.
        """
        number = self._labels.get(model_name, {}).get(label)
        if number is None:
            raise BadInputError(f"Unrecognized servable version label: {label}")
        return self.find(model_name, number)

    def statuses(self, model_name: str, number: int | None) -> list[VersionStatus]:
        """Return the status of one version or of all seen since the start, newest first.

        Empty where the model is known but has had no version yet.

        Raises:
            ModelNotFoundError: no such model, or a version that was never seen.
        """
        if model_name not in self._watchers:
            raise ModelNotFoundError(f"Could not find any versions of model {model_name}")
        return self._watchers[model_name].statuses(number)

"""The served versions of the configured models, and their manifests."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakValueDictionary

from contract.manifest import ModelManifest
from gateway.backend.model_client import ModelClient, VersionStatus
from gateway.errors import (
    GatewayError,
    ModelNotLoadedError,
    ModelServerBusyError,
    NotDescribedError,
    UnknownModelError,
)

_FIRST_INTERVAL_SECONDS = 1.0
_AVAILABLE = "AVAILABLE"
_COMING = frozenset({"START", "LOADING"})


@dataclass(frozen=True)
class ModelState:
    """The state of one model at the last poll. `problem` is why the model cannot be used, None if it can."""

    name: str
    versions: tuple[VersionStatus, ...]
    problem: GatewayError | None

    @cached_property
    def available(self) -> tuple[int, ...]:
        """The available version numbers, ascending."""
        return tuple(sorted(status.version for status in self.versions if status.state == _AVAILABLE))


class ModelVersions:
    """The configured models' versions, polled by `watch`, and their manifests."""

    def __init__(self, client: ModelClient, models: tuple[str, ...]) -> None:
        self._client = client
        not_called = ModelNotLoadedError("The model server has not reported its versions yet.")
        self._states = {model: ModelState(model, (), not_called) for model in models}
        self._manifests: dict[tuple[str, int], ModelManifest | NotDescribedError] = {}
        self._describing: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    async def watch(self, interval_seconds: float) -> None:
        """Poll every model each interval, until cancelled; at least each second until all could be used once."""
        awaited = set(self._states)
        while True:
            await asyncio.gather(*(self._look_at(model) for model in self._states))
            awaited -= {name for name, state in self._states.items() if state.problem is None}
            await asyncio.sleep(min(interval_seconds, _FIRST_INTERVAL_SECONDS) if awaited else interval_seconds)

    @property
    def states(self) -> tuple[ModelState, ...]:
        """The state of every configured model, in the configured order."""
        return tuple(self._states.values())

    def described(self, model: str, version: int) -> ModelManifest | None:
        """Return a version's manifest if it has one and it was read already."""
        known = self._manifests.get((model, version))
        return known if isinstance(known, ModelManifest) else None

    def state(self, model: str) -> ModelState:
        """Return a model's state at the last poll.

        Raises:
            UnknownModelError: no such model is configured.
        """
        if model not in self._states:
            raise UnknownModelError(f"There is no model {model[:100]!r}; the models are: {', '.join(self._states)}.")
        return self._states[model]

    def version_for(self, model: str, version: int | None) -> int:
        """Return the version to use: the requested one, or the latest, which is the model server's default.

        Raises:
            UnknownModelError: no such model is configured.
            GatewayError: no version is available, or the requested one is still being loaded.
        """
        state = self.state(model)
        if version is None:
            return self._latest(state)
        if any(status.version == version and status.state in _COMING for status in state.versions):
            raise ModelNotLoadedError(f"Version {version} of the model {model} is being loaded.")
        return version

    async def manifest(self, model: str, version: int) -> ModelManifest:
        """Return a version's manifest, fetched from the model server the first time.

        Raises:
            UnknownModelError: no such model is configured.
            NotDescribedError: the version does not describe itself.
            GatewayError: the model server does not serve that version, or the call failed.
        """
        self.state(model)
        known = self._manifests.get((model, version))
        if known is None:  # a known one needs no wait: meanwhile the version could be forgotten
            # after a swap many requests need the same manifest at once; the lock is kept only while one does
            describing = self._describing.setdefault((model, version), asyncio.Lock())
            async with describing:
                known = self._manifests.get((model, version))
                if known is None:
                    try:
                        known = await self._client.describe(model, version)
                    except NotDescribedError as error:
                        known = error
                    self._manifests[model, version] = known
        if isinstance(known, NotDescribedError):
            raise NotDescribedError(str(known)) from known.__cause__  # a new one, as many requests may raise it at once
        return known

    def _latest(self, state: ModelState) -> int:
        if state.available:
            return state.available[-1]
        problem = state.problem or ModelNotLoadedError(f"No version of the model {state.name} is loaded.")
        raise type(problem)(str(problem)) from problem.__cause__

    async def _look_at(self, model: str) -> None:
        try:
            versions = await self._client.read_status(model)
        except ModelServerBusyError:
            return  # it is alive; the last state still holds
        except GatewayError as error:
            self._note(ModelState(model, (), error))
            return
        problem = await self._describe_all(ModelState(model, versions, None))
        self._note(ModelState(model, versions, problem))

    async def _describe_all(self, state: ModelState) -> GatewayError | None:
        """Fetch the missing manifests; return why the model cannot be used, None if it can."""
        if not state.available:
            return ModelNotLoadedError(f"No version of the model {state.name} is loaded.")
        for version in state.available:
            try:
                await self.manifest(state.name, version)
            except NotDescribedError:
                continue  # other protocols need no manifest
            except GatewayError as problem:
                return problem
        return None

    def _note(self, state: ModelState) -> None:
        self._states[state.name] = state
        self._forget(state.name, keep=state.available)

    def _forget(self, model: str, keep: Collection[int]) -> None:
        """Drop the manifests of versions that are gone: the same number may return as another model."""
        gone = [key for key in self._manifests if key[0] == model and key[1] not in keep]
        for key in gone:
            del self._manifests[key]

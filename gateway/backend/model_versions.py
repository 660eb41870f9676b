"""Which versions of the wanted models are served, and what each says of itself."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from contract.manifest import ModelManifest
from gateway.backend.model_client import ModelClient, VersionStatus
from gateway.errors import (
    GatewayError,
    ModelNotLoadedError,
    ModelServerBusyError,
    NotDescribedError,
    UnknownModelError,
)

_AVAILABLE = "AVAILABLE"
_COMING = frozenset({"START", "LOADING"})


@dataclass(frozen=True)
class ModelState:
    """What the last look at one model showed. `problem` says why it cannot be asked; None when it can."""

    name: str
    versions: tuple[VersionStatus, ...]
    problem: GatewayError | None

    @cached_property
    def available(self) -> tuple[int, ...]:
        """The version numbers that answer, ascending."""
        return tuple(sorted(status.version for status in self.versions if status.state == _AVAILABLE))


class ModelVersions:
    """The wanted models' versions, looked up again and again by `watch`, and their manifests."""

    def __init__(self, client: ModelClient, models: tuple[str, ...]) -> None:
        self._client = client
        not_called = ModelNotLoadedError("The model server has not said yet which versions are loaded.")
        self._states = {model: ModelState(model, (), not_called) for model in models}
        self._manifests: dict[tuple[str, int], ModelManifest | NotDescribedError] = {}
        self._describing = {model: asyncio.Lock() for model in models}

    async def watch(self, interval_seconds: float) -> None:
        """Look at every model, wait, and begin again, until cancelled."""
        while True:
            await asyncio.gather(*(self._look_at(model) for model in self._states))
            await asyncio.sleep(interval_seconds)

    @property
    def states(self) -> tuple[ModelState, ...]:
        """The state of every wanted model, in the configured order."""
        return tuple(self._states.values())

    def described(self, model: str, version: int) -> ModelManifest | None:
        """Return a version's manifest if it was read already and there is one."""
        known = self._manifests.get((model, version))
        return known if isinstance(known, ModelManifest) else None

    def state(self, model: str) -> ModelState:
        """Return what the last look at a model showed.

        Raises:
            UnknownModelError: no such model is configured.
        """
        if model not in self._states:
            raise UnknownModelError(f"There is no model {model[:100]!r}; there is: {', '.join(self._states)}.")
        return self._states[model]

    def version_for(self, model: str, version: int | None) -> int:
        """Return the version that answers: the one asked for, or the latest, which the model server asks by default.

        Raises:
            UnknownModelError: no such model is configured.
            GatewayError: none of its versions is available, or the one asked for not yet, for the reason given.
        """
        state = self.state(model)
        if version is None:
            return self._latest(state)
        if any(status.version == version and status.state in _COMING for status in state.versions):
            raise ModelNotLoadedError(f"Version {version} of the model {model} is being loaded.")
        return version

    async def manifest(self, model: str, version: int) -> ModelManifest:
        """Return a version's manifest, asked of the model server the first time.

        Raises:
            UnknownModelError: no such model is configured.
            NotDescribedError: the version does not describe itself.
            GatewayError: the model server does not serve that version or cannot say.
        """
        self.state(model)
        known = self._manifests.get((model, version))
        if known is None:  # else without waiting: in between, a version that was the latest could be forgotten
            async with self._describing[model]:  # after a swap many requests want the same manifest at once
                known = self._manifests.get((model, version))
                if known is None:
                    try:
                        known = await self._client.describe(model, version)
                    except NotDescribedError as error:
                        known = error
                    self._manifests[model, version] = known
        if isinstance(known, NotDescribedError):
            raise NotDescribedError(str(known)) from known.__cause__  # anew, as many requests may raise it at once
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
            return  # it is there and answers others; what was seen last still holds
        except GatewayError as error:
            self._note(ModelState(model, (), error))
            return
        problem = await self._describe_all(ModelState(model, versions, None))
        self._note(ModelState(model, versions, problem))

    async def _describe_all(self, state: ModelState) -> GatewayError | None:
        """Read the manifests that are missing; return why the model cannot be asked, if so."""
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
        """Drop the manifests of versions that are gone: the same number may come back as another model."""
        gone = [key for key in self._manifests if key[0] == model and key[1] not in keep]
        for key in gone:
            del self._manifests[key]

"""How far the models are on their way to being served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter.check.server_client import ServerClient
from gateway.backend.model_versions import ModelVersions

_COMING = frozenset({"START", "LOADING"})
_AVAILABLE = "AVAILABLE"


@dataclass(frozen=True)
class SeenModel:
    """A model at one moment: the versions that are served, whether requests for it are, and whether none can be."""

    name: str
    versions: tuple[int, ...]
    is_ready: bool
    has_failed: bool


Look = Callable[[], Sequence[SeenModel]]


def seen_by_gateway(versions: ModelVersions) -> Look:
    """Return a function that looks at what the gateway of this process knows."""
    return lambda: [
        _seen(state.name, [(each.version, each.state, each.failed) for each in state.versions], state.problem is None)
        for state in versions.states
    ]


def seen_by_model_server(address: str, names: Sequence[str], timeout_seconds: float = 10.0) -> Look:
    """Return a function that asks the model server, and raises CheckError where it does not respond."""

    def look() -> list[SeenModel]:
        found = []
        for name in names:
            with ServerClient(address, name) as client:
                versions = [(each.version, each.state, bool(each.error)) for each in client.versions(timeout_seconds)]
            found.append(_seen(name, versions, any(state == _AVAILABLE for _, state, _ in versions)))
        return found

    return look


def _seen(name: str, versions: Sequence[tuple[int, str, bool]], is_ready: bool) -> SeenModel:
    available = tuple(sorted(version for version, state, _ in versions if state == _AVAILABLE))
    failed = any(failed for *_, failed in versions) and not any(state in _COMING for _, state, _ in versions)
    return SeenModel(name, available, is_ready, has_failed=failed and not available)

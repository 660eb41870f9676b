"""Models in memory that are loaded without TensorFlow, for what is decided about them while a server runs."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from modelserver.errors import LoadError
from modelserver.versions.configs import ModelConfig
from modelserver.versions.retries import NO_RETRIES, LoadRetries
from modelserver.versions.served_models import ServedModels


class Loads:
    """Loads a folder as its own path; one with a file `broken` fails, and `hold` keeps loads waiting."""

    def __init__(self) -> None:
        self.tried: list[Path] = []
        self.released = threading.Event()
        self.released.set()

    def __call__(self, folder: Path) -> Any:
        """Load a folder, or raise what its file `broken` says."""
        self.tried.append(folder)
        self.released.wait(30)
        if (folder / "broken").exists():
            raise LoadError((folder / "broken").read_text())
        return folder

    def hold(self) -> None:
        """Let no load end before `release`."""
        self.released.clear()

    def release(self) -> None:
        """Let loads end."""
        self.released.set()


@contextlib.asynccontextmanager
async def watched(
    configs: list[ModelConfig], loads: Callable[[Path], Any], retries: LoadRetries = NO_RETRIES
) -> AsyncIterator[ServedModels]:
    """Watch models while the context is open; begins when each wanted version was tried."""
    models = ServedModels(configs, 0.01, loads, retries)
    watching = asyncio.create_task(models.watch())
    try:
        await models.changes.until(models.has_looked)
        yield models
    finally:
        if isinstance(loads, Loads):
            loads.release()  # or the thread of a load would outlive the test
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def states(models: ServedModels, name: str) -> dict[int, str]:
    """Return the state of each version by its number."""
    return {status.number: status.state for status in models.statuses(name, None)}


def make_versions(base_path: Path, *numbers: int, broken: str = "") -> Path:
    """Make folders of versions, all broken with a reason if there is one; return the base path."""
    for number in numbers:
        folder = base_path / f".staged-{number}"
        folder.mkdir(parents=True)
        if broken:
            (folder / "broken").write_text(broken)
        folder.rename(base_path / str(number))
    base_path.mkdir(exist_ok=True)
    return base_path

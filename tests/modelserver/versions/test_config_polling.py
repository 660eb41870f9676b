"""The file with the models, looked at again and again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from modelserver.versions.configs import ModelConfig, configs_of_file
from modelserver.versions.reloading import Reloading, poll_file
from modelserver.versions.served_models import ServedModels
from tests.modelserver.watched_models import Loads, make_versions, watched


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that lists the model `a`."""
    return _write(tmp_path / "models.config", tmp_path, "a")


def _write(file: Path, folder: Path, *names: str, labels: str = "") -> Path:
    """List models in the file, each with versions 1 and 2, of which the newest is served."""
    for name in names:
        if not (folder / name).exists():
            make_versions(folder / name, 1, 2)
    configs = [
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" {labels} }}'
        for name in names
    ]
    _replace(file, f"model_config_list {{ {' '.join(configs)} }}")
    return file


def _replace(file: Path, content: str | None) -> None:
    """Give the file another content in one rename, or remove it."""
    file.unlink(missing_ok=True)
    if content is not None:
        file.with_suffix(".new").write_text(content)
        file.with_suffix(".new").rename(file)


def _faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


async def _fault(caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """Wait until a fault with this text is logged."""
    await _until(lambda: any(reason in fault for fault in _faults(caplog)))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - logs and files know no events
        await asyncio.sleep(0.01)


def _play(scenario: Callable[[ServedModels, list[Path]], Awaitable[None]], file: Path) -> None:
    looks = []

    def read(path: Path) -> list[ModelConfig]:
        looks.append(path)
        return configs_of_file(path)

    async def play() -> None:
        configs = configs_of_file(file)
        async with watched(configs, Loads()) as models:
            reloading = Reloading(models, allow_unavailable_labels=False)
            polling = asyncio.create_task(poll_file(file, read, reloading, configs, 0.01))
            try:
                await asyncio.wait_for(scenario(models, looks), 30)
            finally:
                polling.cancel()
                await asyncio.wait({polling})
                await reloading.close()

    asyncio.run(play())


def test_models_follow_the_file(file: Path) -> None:
    """A model that is added is served, one that is taken out ends."""

    async def scenario(models: ServedModels, _: list[Path]) -> None:
        _write(file, file.parent, "a", "b")
        await models.changes.until(lambda: models.is_served("b", 2))
        _write(file, file.parent, "b")
        await models.changes.until(lambda: not models.is_served("a", 2))
        assert models.names == ["b"]

    _play(scenario, file)


def test_labels_follow_the_file(file: Path) -> None:
    """A label in the file is assigned while the server runs."""

    async def scenario(models: ServedModels, _: list[Path]) -> None:
        _write(file, file.parent, "a", labels='version_labels { key: "stable" value: 2 }')
        await models.changes.until(lambda: "stable" in models.labels.of("a"))
        assert models.find_labelled("a", "stable").number == 2

    _play(scenario, file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("model_config_list { config {", "is not a ModelServerConfig in text form"),
        ("", "lists no model"),
        (None, "cannot be read: No such file or directory"),
        (
            'model_config_list { config { name: "b" base_path: "/none" model_platform: "tensorflow" } }',
            "Could not find base path /none for servable b; nothing was changed.",
        ),
    ],
    ids=["cut", "empty", "removed", "base path"],
)
def test_a_broken_file_keeps_the_old_configuration_and_says_why(
    file: Path, caplog: pytest.LogCaptureFixture, content: str | None, reason: str
) -> None:
    """What is served stays, the fault is logged once however often it is seen, and a mended file is applied."""

    async def scenario(models: ServedModels, looks: list[Path]) -> None:
        _replace(file, content)
        await _fault(caplog, reason)
        seen = len(looks)
        await _until(lambda: len(looks) > seen + 3)
        assert models.is_served("a", 2)
        _write(file, file.parent, "a", "c")
        await models.changes.until(lambda: models.is_served("c", 2))
        assert len([fault for fault in _faults(caplog) if reason in fault]) == 1

    _play(scenario, file)


def test_a_file_that_could_not_be_applied_is_tried_again(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A base path that appears later is enough; the file need not be touched."""
    text = file.read_text()

    async def scenario(models: ServedModels, _: list[Path]) -> None:
        late = file.parent / "late"
        _replace(file, text.replace(str(file.parent / "a"), str(late)).replace('"a"', '"late"'))
        await _fault(caplog, "Could not find base path")
        make_versions(late, 7)
        await models.changes.until(lambda: models.is_served("late", 7))

    _play(scenario, file)

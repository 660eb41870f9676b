"""How often a version that does not load is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from modelserver.versions.configs import ModelConfig, VersionPolicy
from modelserver.versions.retries import LoadRetries
from modelserver.versions.served_models import ServedModels
from modelserver.versions.watcher import ServableStatus
from tests.modelserver.watched_models import Loads, make_versions, states, watched

AN_HOUR = 3600.0


def _play(
    scenario: Callable[[ServedModels, Loads], Awaitable[None]], base_path: Path, retries: LoadRetries, newest: int = 1
) -> None:
    async def play() -> None:
        loads = Loads()
        config = ModelConfig("scale", base_path, VersionPolicy(newest))
        async with watched([config], loads, retries) as models:
            await asyncio.wait_for(scenario(models, loads), 30)

    asyncio.run(play())


def _status(models: ServedModels, number: int) -> ServableStatus:
    (status,) = models.statuses("scale", number)
    return status


@pytest.mark.parametrize("most", [0, 3])
def test_a_version_is_given_up_after_its_retries(tmp_path: Path, most: int) -> None:
    """The version ends after one try and as many retries, however often its folder is looked at."""
    make_versions(tmp_path / "scale", 1, broken="no such graph")

    async def scenario(models: ServedModels, loads: Loads) -> None:
        await models.changes.until(lambda: _status(models, 1).state == "END")
        make_versions(tmp_path / "scale", 2)
        await models.changes.until(lambda: models.is_served("scale", 2))
        assert len([folder for folder in loads.tried if folder.name == "1"]) == 1 + most
        assert str(_status(models, 1).error) == "no such graph"

    _play(scenario, tmp_path / "scale", LoadRetries(most, 0.0))


def test_a_version_that_is_to_be_tried_again_tells_why(tmp_path: Path) -> None:
    """Between two tries the version is LOADING, as in TensorFlow Serving, and its error says what went wrong."""
    make_versions(tmp_path / "scale", 1, 2)
    (tmp_path / "scale" / "2" / "broken").write_text("no such graph")

    async def scenario(models: ServedModels, _: Loads) -> None:
        assert _status(models, 2).state == "LOADING"
        assert str(_status(models, 2).error) == "no such graph"
        assert models.find("scale", None).number == 1  # the one before is served meanwhile

    _play(scenario, tmp_path / "scale", LoadRetries(5, AN_HOUR))


def test_a_retry_may_go_well(tmp_path: Path) -> None:
    """A version whose fault lies outside its folder is served when a retry finds it mended."""
    base_path = make_versions(tmp_path / "scale", 1)
    faults = [True, True, False]

    async def play() -> None:
        def load(folder: Path) -> object:
            return Loads()(tmp_path / "elsewhere" if faults.pop(0) else folder)

        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "broken").write_text("the disk is away")
        async with watched([ModelConfig("scale", base_path)], load, LoadRetries(5, 0.0)) as models:
            await asyncio.wait_for(models.changes.until(lambda: models.is_served("scale", 1)), 30)
            assert _status(models, 1).error is None

    asyncio.run(play())
    assert faults == []


def test_a_folder_that_changes_is_tried_at_once(tmp_path: Path) -> None:
    """A version with no retry due for an hour is loaded as soon as its folder is mended."""
    make_versions(tmp_path / "scale", 1, broken="no such graph")

    async def scenario(models: ServedModels, _: Loads) -> None:
        (tmp_path / "scale" / "1" / "broken").unlink()
        await models.changes.until(lambda: models.is_served("scale", 1))

    _play(scenario, tmp_path / "scale", LoadRetries(1, AN_HOUR))


def test_a_version_that_is_removed_is_not_awaited_any_more(tmp_path: Path) -> None:
    """When the folder of a version goes that was to be tried again, the version ends."""
    make_versions(tmp_path / "scale", 1, 2)
    (tmp_path / "scale" / "2" / "broken").write_text("no such graph")

    async def scenario(models: ServedModels, _: Loads) -> None:
        (tmp_path / "scale" / "2").rename(tmp_path / "removed")
        await models.changes.until(lambda: states(models, "scale") == {2: "END", 1: "AVAILABLE"})

    _play(scenario, tmp_path / "scale", LoadRetries(5, AN_HOUR), newest=2)


@pytest.mark.parametrize("most", [0, 5])
def test_a_broken_version_that_is_removed_has_not_failed(tmp_path: Path, most: int) -> None:
    """Once its folder is gone its end has no error, so that it no longer counts as a swap that is stuck."""
    make_versions(tmp_path / "scale", 1, 2)
    (tmp_path / "scale" / "2" / "broken").write_text("no such graph")

    async def scenario(models: ServedModels, _: Loads) -> None:
        assert _status(models, 2).error is not None
        (tmp_path / "scale" / "2").rename(tmp_path / "removed")
        await models.changes.until(lambda: _status(models, 2) == ServableStatus(2, "END"))
        assert models.is_served("scale", 1)

    _play(scenario, tmp_path / "scale", LoadRetries(most, AN_HOUR))

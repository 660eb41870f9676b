"""Another configuration for models that are watched."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from modelserver.errors import BadInputError, LoadError, ModelNotFoundError, SettingError
from modelserver.versions.configs import ModelConfig, VersionPolicy
from modelserver.versions.reloading import Reloading
from modelserver.versions.served_models import ServedModels
from tests.modelserver.watched_models import Loads, make_versions, states, watched

EVERY = VersionPolicy(newest=None)


@pytest.fixture
def pair(tmp_path: Path) -> ModelConfig:
    """A model with versions 1 and 2, both wanted."""
    return ModelConfig("pair", make_versions(tmp_path / "pair", 1, 2), EVERY)


@pytest.fixture
def other(tmp_path: Path) -> ModelConfig:
    """A model with version 5."""
    return ModelConfig("other", make_versions(tmp_path / "other", 5))


Scenario = Callable[[ServedModels, Reloading, Loads], Awaitable[None]]


def _play(scenario: Scenario, *configs: ModelConfig, allow_unavailable_labels: bool = False) -> None:
    async def play() -> None:
        loads = Loads()
        async with watched(list(configs), loads) as models:
            reloading = Reloading(models, allow_unavailable_labels=allow_unavailable_labels)
            try:
                await asyncio.wait_for(scenario(models, reloading, loads), 30)
            finally:
                await reloading.close()

    asyncio.run(play())


def _has_label(models: ServedModels, name: str, label: str) -> bool:
    try:
        models.find_labelled(name, label)
    except BadInputError:
        return False
    return True


def test_models_come_and_go(pair: ModelConfig, other: ModelConfig) -> None:
    """A model that is new answers when the reload does; one that is left out ends, and may come back."""

    async def scenario(models: ServedModels, reloading: Reloading, loads: Loads) -> None:
        await reloading.apply([pair, other])
        assert models.find("other", None).number == 5
        await reloading.apply([other])
        assert states(models, "pair") == {2: "END", 1: "END"}
        with pytest.raises(ModelNotFoundError, match=r"Servable not found for request: Latest\(pair\)"):
            models.find("pair", None)
        await reloading.apply([pair])
        assert models.find("pair", 1).number == 1
        assert models.names == ["pair"]
        loaded = [folder.relative_to(pair.base_path.parent) for folder in loads.tried]
        assert list(map(str, loaded)) == ["pair/2", "pair/1", "other/5", "pair/2", "pair/1"]

    _play(scenario, pair)


def test_another_policy_loads_and_ends_only_what_it_must(pair: ModelConfig) -> None:
    """When one of two versions is no longer wanted the other stays as it is."""

    async def scenario(models: ServedModels, reloading: Reloading, loads: Loads) -> None:
        kept = models.find("pair", 1)
        await reloading.apply([ModelConfig("pair", pair.base_path, VersionPolicy(None, frozenset({1})))])
        assert states(models, "pair") == {2: "END", 1: "AVAILABLE"}
        assert models.find("pair", None) is kept
        assert len(loads.tried) == 2

    _play(scenario, pair)


def test_another_base_path_replaces_versions_of_the_same_number(pair: ModelConfig, tmp_path: Path) -> None:
    """Version 1 is loaded from the new place; what cannot be had there ends, once something can."""
    elsewhere = make_versions(make_versions(tmp_path / "elsewhere", 1), 2, broken="no such graph")

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        await reloading.apply([ModelConfig("pair", elsewhere, EVERY)])
        served: object = models.find("pair", 1).model
        assert served == elsewhere / "1"
        assert states(models, "pair") == {2: "END", 1: "AVAILABLE"}
        assert [str(status.error) for status in models.statuses("pair", 2)] == ["no such graph"]
        assert not models.is_served("pair", 2)

    _play(scenario, pair)


def test_what_is_served_on_from_an_old_base_path_is_available(pair: ModelConfig, tmp_path: Path) -> None:
    """Where nothing of another base path loads, its namesakes stay, and their status says both."""
    elsewhere = make_versions(tmp_path / "elsewhere", 1, 2, broken="no such graph")

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        await reloading.apply([ModelConfig("pair", elsewhere, EVERY)])
        served: object = models.find("pair", 1).model
        assert served == pair.base_path / "1"
        assert states(models, "pair") == {2: "AVAILABLE", 1: "AVAILABLE"}
        assert [str(status.error) for status in models.statuses("pair", 2)] == ["no such graph"]

    _play(scenario, pair)


def test_a_missing_base_path_is_refused_at_once_and_blocks_nothing(
    pair: ModelConfig, other: ModelConfig, tmp_path: Path
) -> None:
    """The real server never answers this, nor the next reload; here nothing changes, and the next one works."""

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        for _attempt in range(2):
            with pytest.raises(SettingError, match=r"Could not find base path .*/none for servable lost; nothing"):
                await reloading.apply([other, ModelConfig("lost", tmp_path / "none")])
        assert models.names == ["pair"]
        await reloading.apply([pair, other])
        assert models.find("other", None).number == 5

    _play(scenario, pair)


def test_a_base_path_in_use_that_went_away_does_not_block_other_models(pair: ModelConfig, other: ModelConfig) -> None:
    """A model whose base path is gone for the moment is served on, and others can be added."""

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        pair.base_path.rename(pair.base_path.with_name("away"))
        await reloading.apply([pair, other])
        assert models.find("other", None).number == 5
        assert models.find("pair", None).number == 2

    _play(scenario, pair)


def test_a_model_without_a_version_is_answered_at_once(pair: ModelConfig, tmp_path: Path) -> None:
    """The model waits for its first version, the caller does not."""
    empty = ModelConfig("empty", make_versions(tmp_path / "empty"))

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        with pytest.raises(LoadError, match=r"did not become available: {empty: no version to serve under .*/empty}"):
            await reloading.apply([pair, empty])
        make_versions(empty.base_path, 1)
        await models.changes.until(lambda: models.is_served("empty", 1))

    _play(scenario, pair)


def test_a_model_that_cannot_be_loaded_is_answered_with_the_reason(pair: ModelConfig, tmp_path: Path) -> None:
    """The text of the failed load is in the answer."""
    bad = ModelConfig("bad", make_versions(tmp_path / "bad", 1, broken="no such graph"))

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        with pytest.raises(LoadError, match=r"did not become available: {bad: no such graph}"):
            await reloading.apply([pair, bad])
        assert models.find("pair", None).number == 2

    _play(scenario, pair)


def test_a_younger_reload_ends_the_wait_of_the_older(pair: ModelConfig, other: ModelConfig) -> None:
    """A reload behind one that takes long is not held up by it, and its configuration holds."""

    async def scenario(models: ServedModels, reloading: Reloading, loads: Loads) -> None:
        loads.hold()
        older = asyncio.create_task(reloading.apply([pair, other]))
        await models.changes.until(lambda: "other" in models.names and states(models, "other") == {5: "LOADING"})
        younger = asyncio.create_task(reloading.apply([other]))
        with pytest.raises(SettingError, match="Another reload came"):
            await older
        loads.release()
        await younger
        assert models.names == ["other"]

    _play(scenario, pair)


def test_a_caller_that_gives_up_does_not_undo_a_reload(pair: ModelConfig, other: ModelConfig) -> None:
    """Labels move too, although nobody waits any more."""
    labelled = ModelConfig("pair", pair.base_path, EVERY, {"stable": 1})

    async def scenario(models: ServedModels, reloading: Reloading, loads: Loads) -> None:
        loads.hold()
        waiting = asyncio.create_task(reloading.apply([labelled, other]))
        await models.changes.until(lambda: "other" in models.names and states(models, "other") == {5: "LOADING"})
        waiting.cancel()
        loads.release()
        await models.changes.until(lambda: _has_label(models, "pair", "stable"))
        assert models.find("other", None).number == 5

    _play(scenario, pair)


def test_moving_a_label_loads_nothing(pair: ModelConfig) -> None:
    """A reload that only moves labels leaves the versions alone."""

    async def scenario(models: ServedModels, reloading: Reloading, loads: Loads) -> None:
        kept = models.find("pair", None)
        for number in (1, 2):
            await reloading.apply([ModelConfig("pair", pair.base_path, EVERY, {"stable": number})])
            assert models.find_labelled("pair", "stable").number == number
        assert models.find("pair", None) is kept
        assert [folder.name for folder in loads.tried] == ["3", "2", "1"]

    make_versions(pair.base_path, 3, broken="and not tried again")
    _play(scenario, pair)


def test_labels_move_all_or_none(pair: ModelConfig) -> None:
    """A label on a version that is not served is refused, and the others of the reload do not move either."""

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        await reloading.apply([ModelConfig("pair", pair.base_path, EVERY, {"stable": 1})])
        with pytest.raises(SettingError, match="assign label to version 3 of model pair, which is not currently"):
            await reloading.apply([ModelConfig("pair", pair.base_path, EVERY, {"stable": 2, "canary": 3})])
        assert models.find_labelled("pair", "stable").number == 1
        with pytest.raises(BadInputError, match="Unrecognized servable version label: canary"):
            models.find_labelled("pair", "canary")

    _play(scenario, pair)


def test_a_label_may_wait_for_its_version_where_that_is_allowed(pair: ModelConfig) -> None:
    """A new label may name what is not served yet; one that is in use never moves there."""

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        for _again in range(2):
            await reloading.apply([ModelConfig("pair", pair.base_path, EVERY, {"stable": 1, "next": 3})])
        with pytest.raises(ModelNotFoundError, match=r"Specific\(pair, 3\)"):
            models.find_labelled("pair", "next")
        with pytest.raises(SettingError, match="assign label to version 3"):
            await reloading.apply([ModelConfig("pair", pair.base_path, EVERY, {"stable": 3})])

    _play(scenario, pair, allow_unavailable_labels=True)


def test_labels_of_a_model_go_with_it(pair: ModelConfig, other: ModelConfig) -> None:
    """A model that comes back has no label from before."""
    labelled = ModelConfig("pair", pair.base_path, EVERY, {"stable": 1})

    async def scenario(models: ServedModels, reloading: Reloading, _: Loads) -> None:
        await reloading.apply([labelled])
        await reloading.apply([other])
        await reloading.apply([pair])
        with pytest.raises(BadInputError, match="Unrecognized servable version label: stable"):
            models.find_labelled("pair", "stable")

    _play(scenario, pair)

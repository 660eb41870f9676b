"""`graft settings` lists what the programs themselves take."""

import json
from pathlib import Path

import pytest

from gateway.settings import Settings
from modelserver.settings import ModelServerSettings
from tests.graft.places import Place
from trainer.config import TrainingConfig


def test_every_setting_is_listed(tmp_path: Path) -> None:
    """Each of the gateway and the model server has its line, by the name under which it is given, and a description."""
    found = json.loads(Place(tmp_path).must("settings", "--json"))
    names = {program: [each["name"] for each in settings] for program, settings in found.items()}
    assert names["gateway"] == [f"GATEWAY_{name.upper()}" for name in Settings.model_fields]
    assert names["modelserver"] == [f"--{name}" for name in ModelServerSettings.model_fields]
    assert [each["name"] for settings in found.values() for each in settings if not each["description"]] == []


def test_settings_of_training_are_those_that_set_takes(tmp_path: Path) -> None:
    """Each name leads to the default that is shown; groups are dotted."""
    config = TrainingConfig.model_validate({}).model_dump(mode="json")
    for each in json.loads(Place(tmp_path).must("settings", "train", "--json"))["train"]:
        value = config
        for part in each["name"].split("."):
            value = value[part]
        assert each["default"] in {json.dumps(value, ensure_ascii=False), "-" if value is None else "of this machine"}


@pytest.mark.parametrize("program", ["train", "gateway", "modelserver"])
def test_the_table_says_how_they_are_given(tmp_path: Path, program: str) -> None:
    """A heading, and one row for each."""
    shown = Place(tmp_path).must("settings", program).splitlines()
    assert shown[0].startswith(f"{program}: ")
    assert shown[1].split() == ["setting", "default", "what", "it", "is", "for"]


def test_an_unknown_program_is_refused(tmp_path: Path) -> None:
    """The sentence names those that there are."""
    assert "modelserver" in Place(tmp_path).predict("settings", "exporter").stderr

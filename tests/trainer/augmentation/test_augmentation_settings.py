"""Augmentation steps as they are written in a configuration file."""

from pathlib import Path

import pytest

from tests.trainer.augmenting import EACH
from trainer.augmentation_settings import (
    STEPS,
)
from trainer.config import read_config
from trainer.errors import ConfigurationError


def test_every_kind_can_be_written_and_read(tmp_path: Path) -> None:
    """The steps of each kind survive being written as TOML and read back."""
    assert set(STEPS) == {step.kind for step in EACH}
    config = read_config(None, {"augmentation.steps": [step.model_dump() for step in EACH]})
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    assert read_config(file, {}).augmentation.steps == EACH


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            '[[augmentation.steps]]\nkind = "flp"',
            r"Step 1 of augmentation\.steps is of unknown kind flp\. Did you mean flip\?",
        ),
        ('[[augmentation.steps]]\nkind = "zzz"', r"is of unknown kind zzz\. Known are flip, brightness, .*, cutmix\.$"),
        (
            "[[augmentation.steps]]\ndegrees = 3",
            r'Step 1 of augmentation\.steps needs a kind, as in { kind = "flip" }\.',
        ),
        ('augmentation.steps = ["flip"]', r'Step 1 of augmentation\.steps needs a kind, as in { kind = "flip" }\.'),
        ('[augmentation.steps]\nkind = "flip"', r"begin each with \[\[augmentation\.steps\]\], in double brackets"),
        (
            'augmentation.steps = [{kind = "flip"}, {kind = "rotation", degres = 3}]',
            r"^There is no setting degres in step 2 of augmentation\.steps \(rotation\)\. Did you mean degrees\?$",
        ),
        (
            '[[augmentation.steps]]\nkind = "brightness"\namount = 3',
            r"^The setting amount in step 1 of augmentation\.steps \(brightness\) does not fit: .* to 1, not 3\.$",
        ),
        (
            '[[augmentation.steps]]\nkind = "flip"\nhorizontal = false',
            r"^Step 1 of augmentation\.steps \(flip\) does not fit: a flip is horizontal, vertical or both",
        ),
        ('augmentation.resize_kernels = ["area", "area"]', r"resize_kernels does not fit: name each kernel once"),
        ("augmentation.step = []", r"^There is no setting augmentation\.step\. Did you mean augmentation\.steps\?$"),
    ],
)
def test_step_that_does_not_fit_is_refused_with_its_place(tmp_path: Path, toml: str, message: str) -> None:
    """A step of an unknown kind, with an unknown key or a wrong value, is named with what it should have been."""
    file = tmp_path / "run.toml"
    file.write_text(toml)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_config(file, {})
    assert "\n" not in str(caught.value)

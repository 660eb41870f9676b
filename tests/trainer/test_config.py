"""The settings of a run: where they come from, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from trainer.config import TrainingConfig, parse_assignment, read_config
from trainer.errors import ConfigurationError


def test_defaults() -> None:
    """Without a file or overrides every setting has its default."""
    config = read_config(None, {})
    assert config == TrainingConfig()
    assert (config.model.weights, config.phase_two.unfreeze) == ("imagenet", None)


def test_overrides_lie_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    """A value comes from the overrides, else from the file, else from the defaults, also within one section."""
    file = tmp_path / "run.toml"
    file.write_text("seed = 7\n[phase_two]\nepochs = 3\npatience = 2\n[model]\nalpha = 0.5\n")
    config = read_config(file, {"phase_two.epochs": 5, "model.weights": "none"})
    assert (config.seed, config.model.alpha, config.model.weights) == (7, 0.5, "none")
    assert (config.phase_two.epochs, config.phase_two.patience) == (5, 2)
    assert config.phase_two.learning_rate == TrainingConfig().phase_two.learning_rate


def test_resolved_settings_round_trip_through_toml(tmp_path: Path) -> None:
    """The TOML of resolved settings reads back to the same settings."""
    config = read_config(None, {"head.units": [8], "head.dropout": [0.25], "model.weights": 'C:\\a "b".h5', "seed": 0})
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    assert read_config(file, {}) == config


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.alfa", "There is no setting model.alfa. Did you mean model.alpha?"),
        ("phase_on.epochs", "There is no setting phase_on. Did you mean phase_one?"),
        ("phase_two.unfreez", "There is no setting phase_two.unfreez. Did you mean phase_two.unfreeze?"),
        ("zzzzzz", "There is no setting zzzzzz."),
    ],
)
def test_unknown_setting_names_the_nearest(name: str, message: str) -> None:
    """An unknown setting is refused with the nearest known one, if there is one near."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(None, {name: 1})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.alpha": -1}, "The setting model.alpha does not fit: Input should be greater than 0, not -1."),
        ({"model.image_size": 16}, "model.image_size does not fit: .* 32, not 16"),
        ({"data.batch_size": "many"}, "data.batch_size does not fit: .*, not 'many'"),
        ({"head.units": [8, 8, 8]}, "head does not fit: 3 dense layers need as many dropouts, not 2"),
        ({"model": 5}, "The setting model does not fit"),
        ({"seed.of": 5}, "The setting seed does not fit"),
        ({"seed": 1, "seed.of": 5}, "seed.of cannot be set: seed is a value, not a section"),
    ],
)
def test_value_that_does_not_fit_is_refused_in_one_sentence(overrides: dict[str, Any], message: str) -> None:
    """A value that does not fit is refused in one line with the setting, the reason and what was seen."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_config(None, overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("rate", "seen"), [(1e-3, "1 times"), (2e-4, "5 times"), (5e-6, "200 times")])
def test_second_phase_outside_ten_to_a_hundred_times_lower_is_refused(rate: float, seen: str) -> None:
    """A second learning rate that is not 10 to 100 times lower is refused with the reason and the ratio."""
    with pytest.raises(ConfigurationError, match=f"10 to 100 times lower .* destroys .* it is {seen} lower"):
        read_config(None, {"phase_two.learning_rate": rate})


@pytest.mark.parametrize(("one", "two"), [(1e-3, 1e-4), (1e-3, 1e-5), (3e-3, 3e-4), (0.1, 0.01), (0.1, 0.001)])
def test_second_phase_at_the_borders_is_allowed(one: float, two: float) -> None:
    """Exactly 10 and exactly 100 times lower are allowed, whatever the binary fractions make of them."""
    config = read_config(None, {"phase_one.learning_rate": one, "phase_two.learning_rate": two})
    assert config.phase_two.learning_rate == two


@pytest.mark.parametrize("content", [b"seed =", b"\xff\xfe", None], ids=["not TOML", "not UTF-8", "missing"])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """A configuration file that is broken or missing is refused with its path."""
    file = tmp_path / "run.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^The configuration .*run\.toml cannot be read: "):
        read_config(file, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.alpha=0.35", ("model.alpha", 0.35)),
        ("seed = 3", ("seed", 3)),
        ("head.units=[64, 32]", ("head.units", [64, 32])),
        ("model.weights=none", ("model.weights", "none")),
        ('model.weights="none"', ("model.weights", "none")),
        ("model.weights=/a=b.h5", ("model.weights", "/a=b.h5")),
    ],
)
def test_assignment_is_read_as_toml_or_text(text: str, expected: tuple[str, Any]) -> None:
    """A value is read as TOML where it is some, and as plain text where it is not."""
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["model.alpha", "=3", ""])
def test_assignment_without_a_name_or_value_is_refused(text: str) -> None:
    """An assignment without a name or an equals sign is refused with an example."""
    with pytest.raises(ConfigurationError, match=r"--set takes NAME=VALUE, such as model\.alpha=0\.35"):
        parse_assignment(text)


def test_settings_are_frozen() -> None:
    """Settings cannot be changed."""
    with pytest.raises(ValueError, match="frozen"):
        TrainingConfig().model.alpha = 2.0  # type: ignore[misc]


def test_one_number_of_layers_is_one_stage() -> None:
    """`phase_two.unfreeze` is a number of layers, or several rising ones; anything else is refused."""
    assert read_config(None, {"phase_two.unfreeze": 20}).phase_two.unfreeze == (20,)
    assert read_config(None, {"phase_two.unfreeze": [20, 40]}).phase_two.unfreeze == (20, 40)
    for odd in ([40, 20], [20, 20], [], [0], "many"):
        with pytest.raises(ConfigurationError, match=r"phase_two\.unfreeze"):
            read_config(None, {"phase_two.unfreeze": odd})


def test_steps_of_augmentation_are_read_from_a_file(tmp_path: Path) -> None:
    """`[[augmentation.steps]]` makes typed steps in their order, and they are written back the same."""
    file = tmp_path / "run.toml"
    file.write_text('[[augmentation.steps]]\nkind = "flip"\n[[augmentation.steps]]\nkind = "zoom"\namount = 0.5\n')
    config = read_config(file, {})
    assert [step.kind for step in config.augmentation.steps] == ["flip", "zoom"]
    file.write_text(config.to_toml())
    assert read_config(file, {}) == config

"""The settings of one training run: one frozen, typed class, read once and handed down."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.errors import ConfigurationError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(_Section):
    """How pictures are divided and fed."""

    validation_share: float = Field(0.15, gt=0, lt=0.5, description="Share of each class for validation.")
    test_share: float = Field(0.15, gt=0, lt=0.5, description="Share of each class for the test.")
    batch_size: int = Field(32, gt=0, description="Pictures per training step.")
    memory_budget_mb: int = Field(
        2048, gt=0, description="Decoded pictures above this many megabytes are kept on disk, not in memory."
    )


class ModelSettings(_Section):
    """The network and what it starts from."""

    architecture: Literal["mobilenet_v2"] = Field("mobilenet_v2", description="The network's family.")
    alpha: float = Field(1.0, gt=0, description="Width multiplier of the network.")
    image_size: int = Field(224, ge=32, description="Height and width of the network's input, in pixels.")
    weights: str = Field("imagenet", description='"imagenet", "none", a weights file, a run folder or the id of a run.')


class HeadSettings(_Section):
    """The new layers on the base: pooling, then dense layers with dropout, then the classes."""

    units: tuple[int, ...] = Field((256, 128), description="Width of each dense layer.")
    dropout: tuple[float, ...] = Field((0.5, 0.3), description="Share dropped behind each dense layer.")

    @model_validator(mode="after")
    def _one_dropout_per_layer(self) -> Self:
        if len(self.units) != len(self.dropout):
            raise ValueError(f"{len(self.units)} dense layers need as many dropouts, not {len(self.dropout)}")
        return self


class PhaseSettings(_Section):
    """One phase of training."""

    epochs: int = Field(gt=0, description="Passes over the training pictures, at most.")
    learning_rate: float = Field(gt=0, description="Adam's step size.")
    patience: int = Field(gt=0, description="Epochs without a better validation loss before the phase ends.")


class FineTuningSettings(PhaseSettings):
    """The second phase."""

    unfreeze_layers: int = Field(gt=0, description="How many of the base's last layers are trained.")


class TrainingConfig(_Section):
    """Everything that decides how a run goes."""

    seed: int = Field(1, ge=0, description="Seed of the split, the initial weights and the order of pictures.")
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    head: HeadSettings = HeadSettings()
    phase_one: PhaseSettings = Field(
        PhaseSettings(epochs=20, learning_rate=1e-3, patience=4),
        description="The head alone on a frozen base; from scratch, the only phase, with every layer.",
    )
    phase_two: FineTuningSettings = Field(
        FineTuningSettings(epochs=10, learning_rate=1e-4, patience=3, unfreeze_layers=30),
        description="Head and last layers of the base together, BatchNorm frozen.",
    )

    @model_validator(mode="after")
    def _second_phase_is_gentle(self) -> Self:
        ratio = self.phase_one.learning_rate / self.phase_two.learning_rate
        if not 9.999 <= ratio <= 100.001:  # 1e-3 / 1e-4 is not exactly 10 in binary
            raise ValueError(
                "phase_two.learning_rate must be 10 to 100 times lower than phase_one.learning_rate, or it "
                f"destroys what the base knew; it is {ratio:.3g} times lower"
            )
        return self

    def to_toml(self) -> str:
        """Return the resolved settings as TOML, which `read_config` reads back to the same values."""
        return tomli_w.dumps(self.model_dump(mode="json"))


def read_config(file: Path | None, overrides: dict[str, Any]) -> TrainingConfig:
    """Make the settings from defaults, then a TOML file, then `overrides` by dotted name.

    Raises:
        ConfigurationError: the file cannot be read, a name is unknown, or a value does not fit.
    """
    values = _read_toml(file) if file else {}
    for name, value in overrides.items():
        _set_by_dotted_name(values, name, value)
    try:
        return TrainingConfig.model_validate(_over_defaults(values))
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from error


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `model.alpha=0.35` into a dotted name and a value, read as TOML where it is, else as text.

    Raises:
        ConfigurationError: there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"--set takes NAME=VALUE, such as model.alpha=0.35; {text!r} was given.")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The configuration {file} cannot be read: {error}.") from error


def _set_by_dotted_name(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigurationError(f"{name} cannot be set: {section} is a value, not a section.")
    values[last] = value


def _over_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Lay given phases over the default ones, so that one key may be set without the others."""
    defaults = TrainingConfig().model_dump(mode="json")
    return {
        name: defaults[name] | value if isinstance(value, dict) and isinstance(defaults.get(name), dict) else value
        for name, value in values.items()
    }


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, _setting_names(), n=1, cutoff=0.4)
        return f"There is no setting {name}." + (f" Did you mean {near[0]}?" if near else "")
    message = first["msg"].removeprefix("Value error, ")
    seen = f", not {first['input']!r}" if first["loc"] and not isinstance(first["input"], dict) else ""
    return f"The setting {name or 'combination'} does not fit: {message}{seen}."


def _setting_names() -> list[str]:
    sections = TrainingConfig().model_dump(mode="json")
    inner = [f"{name}.{key}" for name, value in sections.items() if isinstance(value, dict) for key in value]
    return [*sections, *inner]

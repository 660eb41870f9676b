"""The settings of one training run: one frozen, typed class, read once and handed down."""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trainer.augmentation_settings import STEPS, AugmentationSettings
from trainer.errors import ConfigurationError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Section):
    """How images are split, decoded and batched."""

    validation_share: float = Field(0.15, gt=0, lt=0.5, description="Share of each class for validation.")
    test_share: float = Field(0.15, gt=0, lt=0.5, description="Share of each class for the test.")
    test_split: bool = Field(True, description="Whether images are kept to test; without, nothing says how good it is.")
    copies_together: bool = Field(
        True, description="Whether near copies, such as bursts, stay in one split where images are split here."
    )
    batch_size: int = Field(32, gt=0, description="Images per training step.")
    memory_budget_mb: int = Field(
        1024, gt=0, description="Decoded images above this many megabytes are kept on disk, not in memory."
    )
    strict: bool = Field(False, description="Whether an image that cannot be decoded ends the run.")
    allow_leakage: bool = Field(False, description="Whether an image may be in two splits, or in two classes.")
    class_weights: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether rare classes count more: auto where the largest has over twice the smallest.",
    )

    def sizes(self, images: int) -> list[int]:
        """Return how many of a class's images are to validate and, with a test split, to test."""
        val = max(1, round(images * self.validation_share))
        return [val, max(1, min(round(images * self.test_share), images - val - 1))] if self.test_split else [val]


class ModelSettings(_Section):
    """The network and the weights it starts with."""

    architecture: str = Field(
        "mobilenet_v2", description='The network\'s family, or "hub:" and a KerasHub preset or its folder.'
    )
    alpha: float | None = Field(
        None,
        gt=0,
        description="Width multiplier of the network, where its family has one; if not given, that of the weights' "
        "file or run, else 1.",
    )
    image_size: int | None = Field(
        None, ge=32, description="Height and width of the network's input, in pixels; the family's own if not given."
    )
    weights: str = Field("imagenet", description='"imagenet", "none", a weights file, a run folder or the id of a run.')
    antialias: bool = Field(True, description="Whether the resize kernel widens when an image is shrunk.")
    max_pixels: int = Field(
        50_000_000, gt=0, description="Images that declare more pixels are refused before they are decoded."
    )

    @property
    def width(self) -> float:
        """The width multiplier, which is 1 where none is given."""
        return 1.0 if self.alpha is None else self.alpha


class HeadSettings(_Section):
    """The new layers on the base: pooling, then dense layers with dropout, then the classes."""

    units: tuple[int, ...] = Field((256, 128), description="Width of each dense layer.")
    dropout: tuple[float, ...] = Field((0.5, 0.3), description="Share dropped behind each dense layer.")
    l2: float = Field(0.0, ge=0, description="Penalty on the squared weights of the dense layers.")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="Share of each training label that is spread over all classes."
    )

    @model_validator(mode="after")
    def _one_dropout_per_layer(self) -> Self:
        if len(self.units) != len(self.dropout):
            raise ValueError(f"{len(self.units)} dense layers need as many dropouts, not {len(self.dropout)}")
        return self


class PhaseSettings(_Section):
    """One phase of training."""

    epochs: int = Field(gt=0, description="Passes over the training images, at most.")
    learning_rate: float = Field(gt=0, le=1, description="Adam's step size.")
    patience: int = Field(gt=0, description="Epochs without a better validation loss before the phase ends.")


class PhaseOneSettings(PhaseSettings):
    """The first phase: the head alone; from scratch, all layers."""

    plateau_patience: int = Field(
        2, gt=0, description="Epochs without a better validation loss before the learning rate is lowered."
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="What the learning rate is then multiplied by.")
    cache_features: Literal["auto", "always", "never"] = Field(
        "auto", description="Whether the features of the frozen layers are computed once, for both phases."
    )


class GateSettings(_Section):
    """When the second phase may start: the head's validation loss has stopped improving and is below a bound."""

    max_val_loss: float | None = Field(
        None, gt=0, description="The bound in nats; if not given, 0.5 or 0.35 ln(classes), whichever is larger."
    )
    force: bool = Field(False, description="Whether the second phase starts even so.")


class PhaseTwoSettings(PhaseSettings):
    """The second phase: head and last layers of the base."""

    unfreeze: tuple[Annotated[int, Field(gt=0)], ...] | None = Field(
        None,
        description="How many of the base's last layers are trained; several rising numbers unfreeze gradually, block "
        "by block; the architecture's default if not given.",
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="Factor of the learning rate from one block to the block before it."
    )
    schedule: Literal["cosine", "constant"] = Field("cosine", description="How the learning rate falls.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    clip_norm: float | None = Field(1.0, gt=0, description="Largest norm of all gradients together.")
    ema: float | None = Field(
        None, gt=0, lt=1, description="Momentum of a moving average of the weights, which is then used as the result."
    )

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _one_number_is_one_stage(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int) else value

    @field_validator("unfreeze")
    @classmethod
    def _stages_rise(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (not value or list(value) != sorted(set(value))):
            raise ValueError("give one number of layers, or several rising ones such as [20, 40]")
        return value


class HardwareSettings(_Section):
    """The hardware options of the run."""

    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="Half-precision arithmetic: auto where there is a GPU; slower on a CPU."
    )
    xla: bool = Field(False, description="Whether XLA compiles the training step; 15 to 20 times slower on a CPU.")


class TrainingConfig(_Section):
    """All settings of a training run."""

    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the split, the initial weights and the order of images.")
    data: DataSettings = DataSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    model: ModelSettings = ModelSettings()
    head: HeadSettings = HeadSettings()
    phase_one: PhaseOneSettings = Field(
        PhaseOneSettings(epochs=20, learning_rate=1e-3, patience=4),
        description="The head alone on a frozen base; from scratch, the only phase, with every layer.",
    )
    gate: GateSettings = GateSettings()
    phase_two: PhaseTwoSettings = Field(
        PhaseTwoSettings(epochs=10, learning_rate=1e-4, patience=3),
        description="Head and last layers of the base together, BatchNorm frozen.",
    )
    hardware: HardwareSettings = HardwareSettings()
    baselines: tuple[Literal["features", "scratch"], ...] = Field(
        (),
        description="What to compare with: a linear probe on the frozen base, the same network from scratch.",
    )
    tensorboard: bool = Field(False, description="Whether TensorBoard logs are written to the run's folder.")

    @model_validator(mode="after")
    def _second_phase_is_gentle(self) -> Self:
        ratio = self.phase_one.learning_rate / self.phase_two.learning_rate
        if not 9.999 <= ratio <= 100.001:  # 1e-3 / 1e-4 is not exactly 10 in binary
            raise ValueError(
                "phase_two.learning_rate must be 10 to 100 times lower than phase_one.learning_rate, or it "
                f"destroys what the base has learned; it is {ratio:.3g} times lower"
            )
        return self

    def to_toml(self) -> str:
        """Return the resolved settings as TOML, which `read_config` reads back to the same values."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


OLD_DATA_SETTINGS: dict[str, Any] = {"copies_together": False}
"""What decided the splits of a run that is older than these settings of `data`, and does not name them."""


def read_config(file: Path | None, overrides: dict[str, Any], *, of_run: bool = False) -> TrainingConfig:
    """Make the settings from defaults, then a TOML file, then `overrides` by dotted name.

    A file `of_run` says what decided its splits, or was written before there were such settings.

    Raises:
        ConfigurationError: the file cannot be read, a name is unknown, or a value does not fit.
    """
    values = _read_toml(file) if file else {}
    if of_run:
        values["data"] = OLD_DATA_SETTINGS | values.get("data", {})
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
    name = _name(first["loc"])
    subject = name.capitalize() if name.startswith("step ") else f"The setting {name or 'combination'}"
    if first["type"] == "extra_forbidden":
        return f"There is no setting {name}." + _nearest_setting(first["loc"])
    if first["type"] == "union_tag_invalid":
        kind = first["ctx"]["tag"]
        return f"{subject} is of unknown kind {kind}." + (
            _did_you_mean(kind, STEPS) or f" Known are {', '.join(STEPS)}."
        )
    if first["type"] in {"union_tag_not_found", "model_attributes_type"}:
        return f'{subject} needs a kind, as in {{ kind = "flip" }}. Known are {", ".join(STEPS)}.'
    message = first["msg"].removeprefix("Value error, ")
    seen = f", not {first['input']!r}" if first["loc"] and not isinstance(first["input"], dict) else ""
    return f"{subject} does not fit: {message}{seen}."


def _name(location: tuple[int | str, ...]) -> str:
    """Return such as `model.alpha`, or `amount in step 2 of augmentation.steps (zoom)`."""
    match location:
        case ("augmentation", "steps", int(index), *kind_and_key):
            kind, key = [*kind_and_key, "", ""][:2]
            step = f"step {index + 1} of augmentation.steps" + (f" ({kind})" if kind else "")
            return f"{key} in {step}" if key else step
    return ".".join(str(part) for part in location)


def _nearest_setting(location: tuple[int | str, ...]) -> str:
    match location:
        case ("augmentation", "steps", int(), str(kind), str(key)):
            return _did_you_mean(key, STEPS[kind].model_fields)
    return _did_you_mean(_name(location), _setting_names())


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f" Did you mean {near[0]}?" if near else ""


def _setting_names() -> list[str]:
    sections = TrainingConfig().model_dump(mode="json")
    inner = [f"{name}.{key}" for name, value in sections.items() if isinstance(value, dict) for key in value]
    return [*sections, *inner]

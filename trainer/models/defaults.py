"""Defaults of settings that depend on the architecture.

Keras is imported only to read a preset, so that bad settings are refused before its slow import.
"""

from trainer.config import TrainingConfig
from trainer.errors import ConfigurationError
from trainer.models.architectures import check_width, spec_of


def fill_in(config: TrainingConfig) -> TrainingConfig:
    """Return the settings with the architecture's default image size and number of layers to unfreeze filled in.

    For a KerasHub preset both are read from the preset, and KerasHub is imported.

    Raises:
        ConfigurationError: the architecture does not exist, or does not have this width or size.
        WeightsError: the preset cannot be read.
    """
    spec = spec_of(config.model.architecture)
    check_width(config.model)
    if spec is None:
        return _fill_in_from_preset(config)
    size = config.model.image_size or spec.image_size
    if size < spec.smallest_image:
        raise ConfigurationError(
            f"{config.model.architecture} takes images of at least {spec.smallest_image} pixels; "
            f"model.image_size is {size}."
        )
    return _filled_in(config, size, config.phase_two.unfreeze or (spec.unfreeze,))


def _fill_in_from_preset(config: TrainingConfig) -> TrainingConfig:
    from trainer.models.base import default_unfreeze  # noqa: PLC0415 - they import TensorFlow
    from trainer.models.hub import image_size_of_preset  # noqa: PLC0415

    size = config.model.image_size or image_size_of_preset(config.model.architecture)
    model = config.model.model_copy(update={"image_size": size})
    return _filled_in(config, size, config.phase_two.unfreeze or (default_unfreeze(model),))


def _filled_in(config: TrainingConfig, size: int, unfreeze: tuple[int, ...]) -> TrainingConfig:
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"image_size": size, "alpha": config.model.width}),
            "phase_two": config.phase_two.model_copy(update={"unfreeze": unfreeze}),
        }
    )

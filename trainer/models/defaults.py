"""Settings that depend on the architecture: what it has by default where a run's settings say nothing.

Nothing here imports Keras unless a preset has to be read, so that bad settings are refused before its slow import.
"""

from trainer.config import TrainingConfig
from trainer.errors import ConfigurationError
from trainer.models.architectures import check_width, row_of


def fill_in(config: TrainingConfig) -> TrainingConfig:
    """Return the settings with the picture size and the layers to unfreeze that the architecture has by default.

    For a KerasHub preset both are read from the preset, and KerasHub is imported.

    Raises:
        ConfigurationError: there is no such architecture, or the width or size does not fit it.
        WeightsError: the preset cannot be read.
    """
    row = row_of(config.model.architecture)
    check_width(config.model)
    if row is None:
        return _fill_in_from_preset(config)
    size = config.model.image_size or row.image_size
    if size < row.smallest_image:
        raise ConfigurationError(
            f"{config.model.architecture} takes pictures of at least {row.smallest_image} pixels; "
            f"model.image_size is {size}."
        )
    return _filled_in(config, size, config.phase_two.unfreeze or (row.unfreeze,))


def _fill_in_from_preset(config: TrainingConfig) -> TrainingConfig:
    from trainer.models.base import default_unfreeze  # noqa: PLC0415 - they import TensorFlow
    from trainer.models.hub import image_size_of_preset  # noqa: PLC0415

    size = config.model.image_size or image_size_of_preset(config.model.architecture)
    model = config.model.model_copy(update={"image_size": size})
    return _filled_in(config, size, config.phase_two.unfreeze or (default_unfreeze(model),))


def _filled_in(config: TrainingConfig, size: int, unfreeze: tuple[int, ...]) -> TrainingConfig:
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"image_size": size}),
            "phase_two": config.phase_two.model_copy(update={"unfreeze": unfreeze}),
        }
    )

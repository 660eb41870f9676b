"""The weights that a run is to start with: found, and as wide as they are, before TensorFlow starts."""

from pathlib import Path

from trainer.config import ModelSettings
from trainer.errors import RunNotFoundError, WeightsError
from trainer.models.architectures import Architecture, check_width, spec_of
from trainer.models.published_weights import check_published
from trainer.models.weights_file import WeightsFile, read_weights_file
from trainer.runs.record import find_run, read_settings

_FILES = {".h5", ".hdf5", ".keras", ".weights", ".ckpt", ".pb", ".tflite", ".npz", ".pth", ".pt", ".safetensors"}


def with_width_of_weights(model: ModelSettings, runs: Path) -> ModelSettings:
    """Return the settings with `alpha` as the weights' file or run has it, where it was not given.

    Raises:
        ConfigurationError: the architecture does not exist.
        WeightsError: the weights are missing, damaged, or of another network than the settings say.
    """
    spec = spec_of(model.architecture)
    if model.weights == "none" or (model.weights == "imagenet" and spec is None):
        return model
    if spec is not None and model.weights == "imagenet":
        check_width(model)
        check_published(model, spec)
        return model
    path = Path(model.weights)
    if path.is_file():
        return _as_in_file(model, spec, read_weights_file(path))
    return _as_in_run(model, spec, _run_of(model.weights, runs))


def _as_in_file(model: ModelSettings, spec: Architecture | None, file: WeightsFile) -> ModelSettings:
    if spec is None:
        return model
    if file.family and file.family not in spec.family:
        raise WeightsError(
            f"The weights file {file.path} is of {file.family}, not of {model.architecture}; give its --architecture, "
            "or other weights."
        )
    if not spec.alphas:
        return model
    fitting = file.alphas(model.architecture, spec.alphas)
    if not fitting:
        return model  # which says more when it is loaded
    if model.alpha is None:
        return model.model_copy(update={"alpha": fitting[0]})
    if model.alpha not in fitting:
        raise WeightsError(
            f"The weights file {file.path} is of alpha {fitting[0]}, and alpha {model.alpha} was given; leave --alpha "
            "out, or give other weights."
        )
    return model


def _as_in_run(model: ModelSettings, spec: Architecture | None, folder: Path) -> ModelSettings:
    theirs = read_settings(folder).model
    if theirs.architecture != model.architecture:
        raise WeightsError(
            f"The run {folder.name} is of {theirs.architecture}, not of {model.architecture}; give --architecture "
            f"{theirs.architecture}, or other weights."
        )
    if spec is None or not spec.alphas:
        return model
    if model.alpha is not None and model.alpha != theirs.width:
        raise WeightsError(
            f"The run {folder.name} is of alpha {theirs.width}, and alpha {model.alpha} was given; leave --alpha out, "
            "or give other weights."
        )
    return model.model_copy(update={"alpha": theirs.width})


def _run_of(name: str, runs: Path) -> Path:
    path = Path(name)
    try:
        return find_run(name, runs)
    except RunNotFoundError as error:
        if path.is_dir():
            what = "is a folder, but neither a weights file nor a finished run"
        elif path.suffix in _FILES or len(path.parts) > 1:
            what = f"is missing: there is no file {path.absolute()}"
        else:
            raise WeightsError(
                f"There are no weights {name!r}: give imagenet, none, a weights file (.h5), or a run of {runs}. {error}"
            ) from error
        raise WeightsError(
            f"The weights file {name} {what}; give the path of an .h5 file, a run of {runs}, imagenet or none."
        ) from error

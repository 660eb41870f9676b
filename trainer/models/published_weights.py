"""The ImageNet weights that Keras downloads: whether they are on this machine, or can be had. No TensorFlow here."""

import os
import urllib.error
import urllib.request
from pathlib import Path

from trainer.config import ModelSettings
from trainer.errors import WeightsError
from trainer.models.architectures import Architecture

_PLACE = "https://storage.googleapis.com/"
_FOLDER = "tensorflow/keras-applications/"
_MOBILENET_V2_SIZES = (96, 128, 160, 192, 224)
_SECONDS = 5


def check_published(model: ModelSettings, spec: Architecture) -> None:
    """See that the ImageNet weights of an architecture are here, or that their download begins.

    Raises:
        WeightsError: neither.
    """
    found = _file_of(model, spec)
    if found is None:
        return
    folder, name = found
    places = _places()
    if any((place / name).is_file() for place in places):
        return
    try:
        urllib.request.urlopen(_PLACE + folder + name, timeout=_SECONDS).close()  # noqa: S310 - the address is https
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"The ImageNet weights of {model.architecture}, {name}, are missing: they are not in {places[0]} and "
            f"cannot be downloaded here ({reason}); put the file there, give a weights file (--weights FILE.h5), or "
            "train from scratch (--weights none)."
        ) from error


def _file_of(model: ModelSettings, spec: Architecture) -> tuple[str, str] | None:
    """Return the folder and the name of the file; None where Keras is the only one to know."""
    name = spec.keras_name
    if name == "MobileNetV2":
        size = model.image_size if model.image_size in _MOBILENET_V2_SIZES else 224
        return (
            _FOLDER + "mobilenet_v2/",
            f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{model.width}_{size}_no_top.h5",
        )
    if name.startswith("MobileNetV3"):
        kind = name.removeprefix("MobileNetV3").lower()
        return _FOLDER + "mobilenet_v3/", f"weights_mobilenet_v3_{kind}_224_{model.width}_float_no_top_v2.h5"
    if name.startswith("ResNet"):
        return _FOLDER + "resnet/", f"{name.lower()}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    if name.startswith("EfficientNet"):
        return "keras-applications/", f"{name.lower()}_notop.h5"
    if name == "InceptionV3":
        return _FOLDER + "inception_v3/", "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return None


def _places() -> list[Path]:
    """Return where Keras keeps its downloads: in its own folder, or among temporary files if that is not writable."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [home / "models", Path("/tmp/.keras/models")]  # noqa: S108 - Keras's own choice

"""A Keras weights file, looked at without Keras: whether it is one, of which family, and how wide its network is."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import WeightsError

_KERNEL_AXES = 4
_MARKS = {
    "conv2_block1": "a ResNet",
    "mixed0": "Inception V3",
    "block1a": "an EfficientNet",
    "block_1_": "MobileNetV2",
    "expanded_conv": "MobileNetV3",
}
"""Words in the names of layers that one family has alone, the first of them that is found counts."""

_PROJECTED = {
    "mobilenet_v2": (16, 24, 32, 64, 96, 160, 320),
    "mobilenet_v3_small": (16, 24, 40, 48, 96),
    "mobilenet_v3_large": (16, 24, 40, 80, 112, 160),
}
"""Channels at the ends of the blocks at width 1, of each family that has a width multiplier."""

_EXACT = {"mobilenet_v2"}
"""Families where nothing else narrows channels; the others have their squeeze-and-excite layers too."""

_OTHER_WIDTHS = tuple(number / 20 for number in range(1, 41))


@dataclass(frozen=True)
class WeightsFile:
    """What a weights file holds: the shapes of its kernels [H, W, in, out], and its family where its layers say it."""

    path: Path
    kernels: frozenset[tuple[int, ...]]
    family: str

    def alphas(self, architecture: str, published: tuple[float, ...]) -> list[float]:
        """Return the widths that its kernels fit, published ones first; none if it is of another architecture."""
        channels = _PROJECTED[architecture]
        narrowed = {last for *_, first, last in self._pointwise() if first > last}
        return [
            alpha
            for alpha in dict.fromkeys((*published, *_OTHER_WIDTHS))
            if _fits({_rounded(each * alpha) for each in channels}, narrowed, exact=architecture in _EXACT)
        ]

    def _pointwise(self) -> Iterator[tuple[int, ...]]:
        return (shape for shape in self.kernels if shape[:2] == (1, 1))


def read_weights_file(path: Path) -> WeightsFile:
    """Look into an .h5, .weights.h5 or .keras file.

    Raises:
        WeightsError: it cannot be read, or is damaged or of another kind.
    """
    import h5py  # noqa: PLC0415 - takes half a second, which only runs from a file need

    try:
        with h5py.File(_h5_of(path), "r") as content:
            names: list[str] = []
            shapes: set[tuple[int, ...]] = set()
            content.visititems(lambda name, each: _note(name, each, names, shapes))
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
        raise WeightsError(
            f"The weights file {path} is damaged or not a Keras weights file ({reason}); give the whole .h5 file, of "
            f"which {path.stat().st_size:,} bytes are here."
        ) from error
    if not shapes:
        raise WeightsError(f"The weights file {path} holds no convolutions, so it is of no network that Graft knows.")
    text = " ".join(names)
    return WeightsFile(path, frozenset(shapes), next((family for mark, family in _MARKS.items() if mark in text), ""))


def _h5_of(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        return path
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def _note(name: str, each: Any, names: list[str], shapes: set[tuple[int, ...]]) -> None:
    names.append(name)
    shape = getattr(each, "shape", ())
    if shape is not None and len(shape) == _KERNEL_AXES:
        shapes.add(tuple(shape))


def _fits(wanted: set[int], narrowed: set[int], *, exact: bool) -> bool:
    return wanted == narrowed if exact else wanted <= narrowed


def _rounded(channels: float) -> int:
    """Return the channels that MobileNets make of so many: a multiple of 8, and never less by more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded

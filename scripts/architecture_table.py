"""Prints the table of docs/architectures.md anew; a test compares it with the code, row by row."""

from typing import Any

from exporter.saved_model.folding import fold_layers
from trainer.config import ModelSettings
from trainer.models.architectures import ARCHITECTURES, Architecture
from trainer.models.base import block_split_points, build_base

_COLUMNS = (
    *("name", "size", "pixels", "widths", "layers unfrozen", "which come after", "parameters", "BatchNorm folded"),
    "split points: in front of the last … layers",
)

_SPLIT_POINTS_SHOWN = 8


def table_row(name: str, spec: Architecture, base: Any) -> str:
    """Return the table row of one architecture, whose base of width 1 is `base`."""
    cells = (
        f"`{name}`",
        str(spec.image_size),
        _pixels(spec),
        ", ".join(map(str, spec.alphas)) or "-",
        str(spec.unfreeze),
        f"`{_block_before(spec, base)}`",
        f"{base.count_params() / 1e6:.1f} M",
        _folded(base),
        _split_points(block_split_points(base, spec)),
    )
    return f"| {' | '.join(cells)} |"


def _block_before(spec: Architecture, base: Any) -> str:
    return str(base.layers[-spec.unfreeze - 1].name)


def _folded(base: Any) -> str:
    found = fold_layers(base)
    return f"{len(found.folded)} of {len(found.folded) + len(found.kept)}"


def _pixels(spec: Architecture) -> str:
    if spec.contains_rescaling:
        return "0 to 255; scaled inside"
    return "BGR, ImageNet's mean subtracted" if spec.channel_order == "bgr" else "-1 to 1"


def _split_points(points: list[int]) -> str:
    shown = ", ".join(map(str, points[:_SPLIT_POINTS_SHOWN]))
    return f"{shown}, … {points[-1]} ({len(points)})" if len(points) > _SPLIT_POINTS_SHOWN else shown


def main() -> None:
    """Print the table."""
    print(f"| {' | '.join(_COLUMNS)} |")
    print("|---" * len(_COLUMNS) + "|")
    for name, spec in ARCHITECTURES.items():
        base = build_base(ModelSettings(architecture=name, weights="none", image_size=spec.smallest_image))
        print(table_row(name, spec, base))


if __name__ == "__main__":
    main()

"""Prints the table of docs/architectures.md anew; a test compares it with the code, row by row."""

from typing import Any

from exporter.saved_model.folding import fold_layers
from trainer.config import ModelSettings
from trainer.models.architectures import ARCHITECTURES, Architecture
from trainer.models.base import block_split_points, build_base

_COLUMNS = (
    *("name", "size", "pixels", "widths", "layers unfrozen", "which come behind", "parameters", "BatchNorm folded"),
    "cut in front of the last … layers",
)

_CUTS_SHOWN = 8


def table_row(name: str, row: Architecture, base: Any) -> str:
    """Return the row of one architecture, whose base of width 1 is `base`."""
    cells = (
        f"`{name}`",
        str(row.image_size),
        _pixels(row),
        ", ".join(map(str, row.alphas)) or "-",
        str(row.unfreeze),
        f"`{_block_behind(row, base)}`",
        f"{base.count_params() / 1e6:.1f} M",
        _folded(base),
        _cuts(block_split_points(base, row)),
    )
    return f"| {' | '.join(cells)} |"


def _block_behind(row: Architecture, base: Any) -> str:
    return str(base.layers[-row.unfreeze - 1].name)


def _folded(base: Any) -> str:
    found = fold_layers(base)
    return f"{len(found.folded)} of {len(found.folded) + len(found.kept)}"


def _pixels(row: Architecture) -> str:
    if row.contains_rescaling:
        return "0 to 255; scaled inside"
    return "BGR, ImageNet's mean subtracted" if row.channel_order == "bgr" else "-1 to 1"


def _cuts(cuts: list[int]) -> str:
    shown = ", ".join(map(str, cuts[:_CUTS_SHOWN]))
    return f"{shown}, … {cuts[-1]} ({len(cuts)})" if len(cuts) > _CUTS_SHOWN else shown


def main() -> None:
    """Print the table."""
    print(f"| {' | '.join(_COLUMNS)} |")
    print("|---" * len(_COLUMNS) + "|")
    for name, row in ARCHITECTURES.items():
        base = build_base(ModelSettings(architecture=name, weights="none", image_size=row.smallest_image))
        print(table_row(name, row, base))


if __name__ == "__main__":
    main()

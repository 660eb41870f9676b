"""How an inspection looks on a terminal."""

from collections.abc import Sequence

from rich.console import Console

from graft.tables import NOT_KNOWN, plain_table, print_line
from trainer.inspection.results import ClassCounts, CopyGroup, Extent, FolderInspection, ImageSizes

_SHOWN = 20
"""Lines of each kind; the JSON has all."""

_SHOWN_IN_GROUP = 6
_SPLITS = ("train", "val", "test")
_COLUMNS = ("class", "images", *_SPLITS, "broken")


def print_inspection(found: FolderInspection, console: Console) -> None:
    """Print the table of classes, what is wrong or odd, and what training would say."""
    print_line(console, f"{found.folder}: {_counted(found)}{_layout(found)}")
    if found.note:
        print_line(console, found.note)
    if found.classes:
        console.print(plain_table(_COLUMNS, [*map(_row, found.classes), _total(found.classes)], _COLUMNS[1:]))
    if found.sizes:
        formats = ", ".join(f"{count} {kind}" for kind, count in found.formats.items())
        print_line(console, f"Decoded: {formats}; {sizes_in_words(found.sizes)}")
    _print_list(console, "Broken, left out of training", [f"{each.file}: {each.reason}" for each in found.broken])
    _print_list(console, "Skipped", [f"{each.path}: {each.reason}" for each in found.skipped])
    _print_list(console, "Copies of one image", [_group_line(group) for group in _worst_first(found.copies)])
    _print_list(console, "Warnings", [warning.message for warning in found.warnings])
    if found.accepted:
        print_line(console, "`graft train` would accept this folder.")
    for sentence in found.rejections:
        print_line(console, f"`graft train` would refuse this folder: {sentence}")


def sizes_in_words(sizes: ImageSizes) -> str:
    """Return widths and heights as text."""
    return f"width {_extent(sizes.width)}, height {_extent(sizes.height)} pixels"


def _counted(found: FolderInspection) -> str:
    classes = len(found.classes)
    return f"{found.images} image{'s' * (found.images != 1)} of {classes} class{'es' * (classes != 1)}"


def _layout(found: FolderInspection) -> str:
    if found.layout == "splits":
        named = [name if name == split else f"{name} ({split})" for split, name in found.split_folders.items()]
        return f", in splits of its own: {', '.join(named)}"
    return f", split by Graft with seed {found.seed}" if found.layout == "classes" else ""


def _row(each: ClassCounts) -> tuple[str, ...]:
    splits = (NOT_KNOWN if count is None else str(count) for count in (each.train, each.val, each.test))
    return each.name, str(each.images), *splits, str(each.broken)


def _total(classes: Sequence[ClassCounts]) -> tuple[str, ...]:
    counts = [[each.images, each.train, each.val, each.test, each.broken] for each in classes]
    return "all", *(
        NOT_KNOWN if None in column else str(sum(each or 0 for each in column)) for column in zip(*counts, strict=True)
    )


def _print_list(console: Console, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    print_line(console, f"{title} ({len(lines)}):")
    for line in lines[:_SHOWN]:
        print_line(console, f"  {line}")
    if len(lines) > _SHOWN:
        print_line(console, f"  and {len(lines) - _SHOWN} more, which --json lists")


def _worst_first(groups: Sequence[CopyGroup]) -> list[CopyGroup]:
    return sorted(groups, key=lambda group: (not group.across, not group.same_content))


def _group_line(group: CopyGroup) -> str:
    across = f"in two {' and two '.join(group.across)}: " if group.across else ""
    named = [
        f"{each.file} ({each.split})" if "splits" in group.across else each.file
        for each in group.images[:_SHOWN_IN_GROUP]
    ]
    more = f" and {len(group.images) - _SHOWN_IN_GROUP} more" if len(group.images) > _SHOWN_IN_GROUP else ""
    return f"{across}{'the same' if group.same_content else 'nearly the same'}: {', '.join(named)}{more}"


def _extent(extent: Extent) -> str:
    return f"{extent.smallest} to {extent.largest}, median {extent.median:g}"

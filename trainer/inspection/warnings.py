"""What training accepts, but a person should look at before hours are spent."""

from collections.abc import Iterator, Sequence

from trainer.inspection.results import BrokenFile, ClassCounts, CopyGroup, FolderWarning, ImageSizes, SkippedEntry

_FEW_IMAGES = 20
"""Of a class: the interval of its accuracy on a test split of three images is nearly everything."""

_UNEQUAL = 50
"""Times: weights of classes make up for some, but not for this."""

_NAMED = 5
_MANY_BROKEN = 0.05


def warnings_of(
    classes: Sequence[ClassCounts],
    sizes: ImageSizes | None,
    smallest_side: int,
    broken: Sequence[BrokenFile],
    skipped: Sequence[SkippedEntry],
    copies: Sequence[CopyGroup],
) -> Iterator[FolderWarning]:
    """Yield the warnings, each one sentence that says what to do; `smallest_side` is the model's input size."""
    yield from _of_counts(classes)
    for entry in skipped:
        if entry.reason.startswith("a hidden folder, "):
            yield FolderWarning(
                "hidden_folder",
                f"{entry.path} is hidden and has images ({entry.reason.rpartition(' with ')[2]}): if it is a class, "
                "rename it without the leading dot.",
            )
    images = sum(each.images for each in classes)
    if images and len(broken) > _MANY_BROKEN * images:
        yield FolderWarning(
            "broken_images",
            f"{len(broken)} of {images} images are broken, and are left out: copy them again from where they came.",
        )
    if sizes and max(sizes.width.median, sizes.height.median) < smallest_side / 2:
        yield FolderWarning(
            "small_images",
            f"Half of the images are at most {sizes.width.median:g} pixels wide and {sizes.height.median:g} high, and "
            f"are enlarged to {smallest_side} x {smallest_side}: a smaller --image-size trains faster.",
        )
    if harmless := sum(len(group.images) - 1 for group in copies if not group.across):
        yield FolderWarning(
            "copies",
            f"{_counted(harmless, 'image is a copy', 'images are copies')} of another of the same split and class, and "
            "counts twice: remove what is not meant.",
        )


def _of_counts(classes: Sequence[ClassCounts]) -> Iterator[FolderWarning]:
    usable = {each.name: each.images - each.broken for each in classes}
    few = [f"{name} ({count})" for name, count in usable.items() if count < _FEW_IMAGES]
    if few:
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        yield FolderWarning(
            "few_images",
            f"{_counted(len(few), 'class has', 'classes have')} fewer than {_FEW_IMAGES} images: "
            f"{', '.join(few[:_NAMED])}{more}; what a test says of them is chance: add images, or join classes.",
        )
    if not usable:
        return
    largest, smallest = max(usable, key=lambda name: usable[name]), min(usable, key=lambda name: usable[name])
    if usable[largest] >= _UNEQUAL * max(usable[smallest], 1):
        yield FolderWarning(
            "unequal_classes",
            f"{largest} has {usable[largest]} images and {smallest} has {usable[smallest]}: rare classes are weighted, "
            f"but over {_UNEQUAL} times is too much for that; add images of {smallest}.",
        )


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"

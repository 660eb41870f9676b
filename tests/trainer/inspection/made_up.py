"""An inspection that was never made: of a folder, a class and files of any name."""

from trainer.inspection.results import (
    BrokenFile,
    ClassCounts,
    CopyGroup,
    Extent,
    FolderInspection,
    FolderWarning,
    FoundImage,
    ImageSizes,
    LeakPair,
    SkippedEntry,
)


def made_up_inspection(name: str) -> FolderInspection:
    """Return an inspection in which everything that has a name has this one."""
    extent = Extent(1, 2.5, 4)
    image, other = FoundImage(name, "train", name), FoundImage(name, "test", name)
    return FolderInspection(
        folder=name,
        accepted=False,
        rejections=[f"{name} is bad."],
        layout="splits",
        split_folders={"train": name, "val": "val", "test": "test"},
        seed=1,
        note=f"{name} has no test.",
        images=2,
        classes=[ClassCounts(name, 2, 1, 0, 1, 0), ClassCounts("other", 0, 0, 0, 0, 0)],
        samples={name: [name], "other": []},
        formats={"JPEG": 2},
        sizes=ImageSizes(extent, extent, extent),
        broken=[BrokenFile(name, "val", name, "cut short")],
        skipped=[SkippedEntry(name, "hidden")],
        copies=[CopyGroup([image, other], True, ["splits"])],
        leaks=[LeakPair(image, other, True, 0)],
        warnings=[FolderWarning("few_images", f"{name} has few images.")],
    )

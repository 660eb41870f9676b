"""The image files in a folder and below it, by their names, and the files that are skipped, with the reason."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from contract.plain_text import plain_text

_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp"}
_REASONS = {".gif": "a GIF, which may hold several frames"} | dict.fromkeys(
    (".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".ico"),
    "an unsupported format; save it as JPEG, PNG, BMP or WebP",
)
_CLOSED = "cannot be read"

SYSTEM_FOLDERS = frozenset(
    (
        *("lost+found", "$recycle.bin", "system volume information", "#recycle", "found.000"),
        *("__macosx", ".trashes", ".spotlight-v100", ".fseventsd", ".temporaryitems"),
        *("@eadir", "@recycle", ".ipynb_checkpoints", "__pycache__", ".thumbnails", ".dropbox.cache"),
    )
)
"""Which a file system, a network disk, an archive or a notebook makes; in lower case."""


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that was skipped, and why."""

    path: Path
    reason: str

    @property
    def may_be_images(self) -> bool:
        """Whether it is an image in a format that is not read, or something that cannot be opened."""
        return self.reason in _REASONS.values() or self.reason.startswith(_CLOSED)


@dataclass(frozen=True)
class Found:
    """The image files in a folder and below it, in the order of their paths, and the skipped ones."""

    images: list[Path] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def walk(folder: Path) -> Found:
    """Find the image files in `folder` and below it; links are followed, each real folder is read once. Never raises.

    A hidden folder is skipped as a whole, without listing its files.
    """
    found = Found()
    _walk(folder, found, set())
    found.images.sort()
    found.skipped.sort(key=lambda each: each.path)
    return found


def plain_name(path: Path | str) -> str:
    """Return a path as one line of text, as `plain_text` does."""
    return plain_text(str(path))


def _walk(folder: Path, found: Found, seen: set[tuple[int, int]]) -> None:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder around it would never end
            found.skipped.append(SkippedFile(folder, "a link to a folder that was read already"))
            return
        seen.add((status.st_dev, status.st_ino))
        children = sorted(folder.iterdir())
    except OSError as error:
        found.skipped.append(SkippedFile(folder, f"{_CLOSED}: {str(error.strerror).lower()}"))
        return
    for path in children:
        reason = _why_not(path)
        if reason:
            found.skipped.append(SkippedFile(path, reason))
        elif path.is_dir():
            _walk(path, found, seen)
        else:
            found.images.append(path)


def _why_not(path: Path) -> str:
    """Return why a file or folder is skipped, or an empty text."""
    if path.name.startswith("."):  # a viewer's thumbnails, a notebook's checkpoints, a copy's leftovers
        return "a hidden folder" if path.is_dir() else "hidden"
    if path.is_dir():
        return "a folder of the system" if path.name.casefold() in SYSTEM_FOLDERS else ""
    if not path.is_file():
        return "a broken link" if path.is_symlink() else "not a file"
    if path.suffix.lower() not in _SUFFIXES:
        return _REASONS.get(path.suffix.lower(), "not an image by its name")
    return "" if os.access(path, os.R_OK) else f"{_CLOSED}: permission denied"

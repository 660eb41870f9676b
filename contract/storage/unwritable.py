"""A folder that cannot be written: its disk is full or read-only, a quota is used up, or the user may not; in words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""There is no room: what was written so far may be removed, and the same may succeed later."""

UNWRITABLE = FULL | {errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}

_MEGABYTE = 1_000_000


def why_unwritable(error: OSError, folder: Path, needed: int | None = None) -> str:
    """Return why `folder` cannot be written, as a sentence without its end; `needed` are bytes, where known."""
    code = error.errno
    if code == errno.ENOSPC and _free_files(folder) == 0:
        return f"The disk of {folder} has no room for another file: all of its inodes are used"
    if code == errno.ENOSPC:
        return f"The disk of {folder} is full: {_room(folder, needed)}"
    if code == errno.EDQUOT:
        return f"The quota on the disk of {folder} is used up{_needed(needed, ': ')}"
    if code == errno.EFBIG:
        return f"A file in {folder} would be larger than is allowed here (ulimit -f){_needed(needed, ': ')}"
    if code == errno.EROFS:
        return f"{folder} is on a file system that is read-only"
    if code in {errno.ENOTDIR, errno.EEXIST}:
        return f"{folder} is not a folder, and cannot become one"
    if code in {errno.EACCES, errno.EPERM}:
        return f"You may not write in {folder}"
    return f"{folder} cannot be written ({error.strerror or error})"


def too_little_room(folder: Path, needed: int) -> str:
    """Return that the disk of `folder` has less than `needed` bytes, as a sentence without its end; empty if it has."""
    return "" if needed <= free_bytes(folder) else f"The disk of {folder} has too little room: {_room(folder, needed)}"


def free_bytes(folder: Path) -> int:
    """Return how much a user may still write on the disk of `folder`, which need not exist yet."""
    found = os.statvfs(_existing(folder))
    return found.f_bavail * found.f_frsize


def size_in_words(size: int) -> str:
    """Return bytes as megabytes, with a digit behind the point where that says more."""
    return f"{size / _MEGABYTE:,.0f} MB" if size >= 10 * _MEGABYTE else f"{size / _MEGABYTE:.1f} MB"


@contextmanager
def naming_folder(folder: Path) -> Iterator[None]:
    """Let the error of a write that has no room name the folder; it comes from a write without any name."""
    try:
        yield
    except OSError as error:
        if error.errno in UNWRITABLE and not error.filename:
            error.filename = str(folder)
        raise


def _room(folder: Path, needed: int | None) -> str:
    return f"{size_in_words(free_bytes(folder))} free{_needed(needed, ', ')}"


def _needed(needed: int | None, before: str) -> str:
    return "" if needed is None else f"{before}{size_in_words(needed)} needed"


def _free_files(folder: Path) -> int | None:
    """Return how many files a user may still make; None where the file system does not count them."""
    found = os.statvfs(_existing(folder))
    return found.f_favail if found.f_files else None


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())

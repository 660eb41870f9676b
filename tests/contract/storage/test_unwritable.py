"""Why a folder cannot be written, in words."""

import errno
import os
import re
from pathlib import Path

import pytest

from contract.storage.unwritable import free_bytes, naming_folder, too_little_room, why_unwritable


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, r"^The disk of {} is full: [\d,.]+ MB free, 3\.5 MB needed$"),
        (errno.EDQUOT, r"^The quota on the disk of {} is used up: 3\.5 MB needed$"),
        (errno.EFBIG, r"^A file in {} would be larger than is allowed here \(ulimit -f\): 3\.5 MB needed$"),
        (errno.EROFS, r"^{} is on a file system that is read-only$"),
        (errno.EACCES, r"^You may not write in {}$"),
        (errno.EPERM, r"^You may not write in {}$"),
        (errno.ENOTDIR, r"^{} is not a folder, and cannot become one$"),
        (errno.EIO, r"^{} cannot be written \(Input/output error\)$"),
    ],
)
def test_each_reason_has_its_sentence(tmp_path: Path, code: int, sentence: str) -> None:
    """A folder is named with what keeps it from being written, and how much was needed where that helps."""
    said = why_unwritable(OSError(code, os.strerror(code)), tmp_path, 3_500_000)
    assert re.fullmatch(sentence.format(re.escape(str(tmp_path))), said)


def test_room_is_known_before_a_folder_is_made(tmp_path: Path) -> None:
    """The disk of a folder that does not exist yet is that of the folder above it."""
    folder = tmp_path / "runs" / "x"
    assert too_little_room(folder, 1) == ""
    assert too_little_room(folder, 10 * free_bytes(folder)).startswith(f"The disk of {folder} has too little room: ")


def test_a_write_names_its_folder(tmp_path: Path) -> None:
    """A write without room, whose error names no file, gets the folder's name; an error with a name keeps it."""
    with pytest.raises(OSError, match="No space") as caught, naming_folder(tmp_path):
        Path("/dev/full").write_text("x")
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError) as other, naming_folder(tmp_path):
        Path("nowhere/x").write_text("x")
    assert other.value.filename == "nowhere/x"

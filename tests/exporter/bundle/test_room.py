"""Where a bundle is to be written is looked at before anything is converted."""

from pathlib import Path

import pytest

from exporter.bundle.install import check_room
from exporter.errors import NoRoomError
from tests.tiny_disk import tiny_disk


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version with a graph of a megabyte."""
    folder = tmp_path / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(bytes(1_000_000))
    return folder


def test_too_little_room_is_said_before_the_conversion(tmp_path: Path, version: Path) -> None:
    """All variants need twice the weights, int8 alone a quarter."""
    with tiny_disk(tmp_path / "disk", 500_000) as disk:
        with pytest.raises(NoRoomError, match=r"disk has too little room: 0\.5 MB free, 2\.0 MB needed for the bundle"):
            check_room(disk / "mobile", version, ["float32", "float16", "dynamic", "int8"])
        check_room(disk / "mobile", version, ["int8"])
        assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(version: Path) -> None:
    """What cannot hold a bundle is refused in a sentence."""
    with pytest.raises(NoRoomError, match=r"^/dev/null is not a folder, and cannot become one; make room, or give"):
        check_room(Path("/dev/null/mobile"), version, ["int8"])

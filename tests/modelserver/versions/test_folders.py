from pathlib import Path

from modelserver.versions.folders import version_folders


def test_names_are_read_as_tensorflow_serving_reads_them(tmp_path: Path) -> None:
    """Leading zeros and 0 are versions; other names, files, hidden folders and numbers beyond int64 are not."""
    for name in ("0", "1", "00000123", "3x", "v4", "-5", "notes", ".staged-6", "²", str(2**63), str(2**63 - 1)):
        (tmp_path / name).mkdir()
    (tmp_path / "9").write_text("a file")
    assert version_folders(tmp_path) == {
        0: tmp_path / "0",
        1: tmp_path / "1",
        123: tmp_path / "00000123",
        2**63 - 1: tmp_path / str(2**63 - 1),
    }


def test_of_two_names_for_a_number_the_shorter_is_taken(tmp_path: Path) -> None:
    """A version that is there with and without zeros is the one without."""
    for name in ("007", "7", "07"):
        (tmp_path / name).mkdir()
    assert version_folders(tmp_path) == {7: tmp_path / "7"}


def test_a_missing_base_path_is_told_from_an_empty_one(tmp_path: Path) -> None:
    """There is None for what is not there, or is no folder, and no version for an empty folder."""
    (tmp_path / "file").touch()
    assert version_folders(tmp_path / "gone") is None
    assert version_folders(tmp_path / "file") is None
    (tmp_path / "empty").mkdir()
    assert version_folders(tmp_path / "empty") == {}

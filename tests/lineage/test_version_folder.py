"""A published version's folder says itself what is to be recorded of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.digests import digest_of_file
from contract.errors import ContractError
from contract.versions import BLESSING, MANIFEST
from lineage.version_folder import blessed_at, describe_version
from tests.lineage.made_up_folders import make_run, make_version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_version(tmp_path, make_run(tmp_path, "r1"))


def test_a_version_is_described_by_its_files(folder: Path) -> None:
    """Name, number, run and parity come out of the version, and each file's digest from its bytes."""
    record = describe_version(folder)
    assert (record.name, record.version, record.run_id, record.folder) == ("colours", 1, "r1", folder)
    assert record.manifest_digest == digest_of_file(folder / MANIFEST)
    assert record.files == {
        path.relative_to(folder).as_posix(): digest_of_file(path) for path in folder.rglob("*") if path.is_file()
    }
    assert record.parity == [{"signature": "serving_default", "images": 10, "largest_difference": 1.2e-07}]
    assert blessed_at(folder) == datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


def test_a_version_that_changed_is_not_recorded(folder: Path) -> None:
    """A version whose files are not those of its manifest is refused."""
    (folder / "saved_model.pb").write_text("another graph")
    with pytest.raises(ContractError, match=r"^The files of .* do not have the digest in its manifest;"):
        describe_version(folder)


@pytest.mark.parametrize("blessing", [None, "{", "[]", '{"checked": "2026-11-21T13:00:00+00:00"}'])
def test_a_version_that_was_not_checked_is_not_recorded(folder: Path, blessing: str | None) -> None:
    """A version without a readable blessing is refused."""
    (folder / BLESSING).unlink()
    if blessing is not None:
        (folder / BLESSING).write_text(blessing)
    with pytest.raises(ContractError, match="does not say what was checked and when"):
        describe_version(folder)


def test_a_folder_that_is_no_version_is_refused(tmp_path: Path) -> None:
    """A folder without a manifest is refused."""
    with pytest.raises(ContractError, match="No model manifest can be read at"):
        describe_version(tmp_path)

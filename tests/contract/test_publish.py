"""A version as a whole: proved by its digest when it is read, and numbered when it is published."""

from pathlib import Path

import pytest

from contract.blessing import Blessing, Rollback, RoundingNoise
from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.publish import publish_version, read_version, version_with_digest
from contract.versions import BLESSING, MANIFEST, AlreadyPublishedError, published_versions, staged_folder, withdraw
from tests.lineage.made_up import NOON
from tests.lineage.made_up_folders import make_run, make_version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published version 1."""
    return make_version(tmp_path, make_run(tmp_path, "r1"))


def publish_again(folder: Path) -> ModelManifest:
    manifest = read_version(folder)
    with staged_folder(folder.parent) as staged:
        (staged / MANIFEST).parent.mkdir()
        (staged / "saved_model.pb").write_bytes((folder / "saved_model.pb").read_bytes())
        return publish_version(folder.parent, staged, manifest)


def test_version_is_read_when_its_files_are_those_of_its_manifest(folder: Path) -> None:
    """A version gives its manifest; one changed file, and it is refused."""
    assert read_version(folder).version == 1
    (folder / "saved_model.pb").write_text("another graph")
    with pytest.raises(ContractError, match=r"^The files of .* do not have the digest in its manifest;"):
        read_version(folder)


def test_missing_version_is_refused_with_those_that_are_there(folder: Path) -> None:
    """Who asks for a version that is not there hears which ones are."""
    with pytest.raises(ContractError, match=r"^There is no version at .*/7; published under .*/colours: 1\.$"):
        read_version(folder.with_name("7"))


def test_published_version_has_the_next_number_in_its_manifest(folder: Path) -> None:
    """The manifest gets the number under which the version appears, after published and withdrawn ones."""
    assert publish_again(folder).version == 2
    withdraw(folder.with_name("2"))
    manifest = publish_again(folder)
    assert manifest.version == 3
    assert read_version(folder.with_name("3")) == manifest
    assert published_versions(folder.parent) == [1, 3]


def test_file_in_the_way_is_told_and_not_tried_for_ever(folder: Path) -> None:
    """A file that has the next number for its name is refused."""
    folder.with_name("2").write_text("a file")
    with pytest.raises(AlreadyPublishedError, match="2 exists already"):
        publish_again(folder)


def test_noise_is_the_largest_that_was_measured(folder: Path) -> None:
    """Ways that were not measured, or gave no number, count for nothing; the file says those that were."""
    text = (
        (folder / BLESSING).read_text().replace('{"checked"', '{"noise": {"batch": 1e-7, "precision": 3e-6}, "checked"')
    )
    (folder / BLESSING).write_text(text)
    blessing = Blessing.read(folder / BLESSING)
    assert blessing.noise == RoundingNoise(batch=1e-7, precision=3e-6)
    assert blessing.noise.largest == 3e-6
    assert Blessing.model_validate_json(blessing.to_json()) == blessing
    assert RoundingNoise(batch=float("nan"), threads=2e-7).largest == 2e-7
    assert RoundingNoise().largest == 0


def test_blessing_keeps_what_it_does_not_know(folder: Path) -> None:
    """A blessing that is read and written again says all that it said, and the rollback."""
    text = (folder / BLESSING).read_text().replace('{"checked"', '{"told_later": [1, 2], "checked"')
    (folder / BLESSING).write_text(text)
    blessing = Blessing.read(folder / BLESSING)
    assert (blessing.largest_difference, blessing.bound, blessing.published.hour) == (1.2e-7, None, 13)
    assert blessing.noise is None  # of a version from before it was measured
    rollback = Rollback(to_version=1, from_version=2, who="ada", when=NOON, why="2 is worse")
    (folder / BLESSING).write_text(blessing.model_copy(update={"rollback": rollback}).to_json())
    again = Blessing.read(folder / BLESSING)
    assert again.comparisons == blessing.comparisons
    assert again.model_extra == {"told_later": [1, 2]}
    assert (again.rollback, again.published) == (rollback, NOON)


def test_the_newest_version_with_a_digest_is_found(folder: Path) -> None:
    """Of versions with one content the newest that is published is found, else one that was withdrawn, else none."""
    base_path, digest = folder.parent, read_version(folder).digest
    publish_again(folder)
    assert version_with_digest(base_path, digest) == base_path / "2"
    (base_path / "2" / MANIFEST).write_text("damaged")
    assert version_with_digest(base_path, digest) == base_path / "1"
    hidden = withdraw(folder)
    assert version_with_digest(base_path, digest) == hidden
    assert version_with_digest(base_path, "sha256:other") is None

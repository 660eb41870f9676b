"""Version folders under a base path, and publication that never changes what is there."""

from pathlib import Path

import pytest

from contract.errors import ContractError
from contract.versions import (
    AlreadyPublishedError,
    LastVersionError,
    digest_of_version,
    next_version,
    publish,
    published_place,
    published_versions,
    staged_folder,
    withdraw,
    withdrawn_place,
    withdrawn_versions,
)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_only_positive_numbers_are_versions(tmp_path: Path) -> None:
    """Files, hidden folders, words, zero, negative, too large and non-ASCII numbers are no versions."""
    for name in ("2", "10", "9223372036854775807"):
        (tmp_path / name).mkdir()
    for name in ("0", "-1", "+4", "9223372036854775808", "1e3", "1.0", "latest", ".3", ".unfinished-x", "٣", "1_000"):
        (tmp_path / name).mkdir()
    (tmp_path / "5").write_text("a file")
    assert published_versions(tmp_path) == [2, 10, 9223372036854775807]


def test_missing_base_path_has_no_versions(tmp_path: Path) -> None:
    """A base path that does not exist has no versions, and its next one is 1."""
    assert published_versions(tmp_path / "none") == []
    assert next_version(tmp_path / "none") == 1


def test_next_version_comes_after_the_highest(tmp_path: Path) -> None:
    """The next version follows the highest one, and does not fill a gap."""
    for name in ("1", "9", "10"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 11


def test_published_folder_appears_with_everything_in_it(tmp_path: Path) -> None:
    """A published folder has every staged file, and nothing else stays behind."""
    base_path = tmp_path / "not" / "there" / "yet"
    with staged_folder(base_path) as staged:
        (staged / "variables").mkdir()
        (staged / "variables" / "data").write_bytes(b"1234")
        (staged / "graph.pb").write_bytes(b"5678")
        assert published_versions(base_path) == []
        publish(staged, base_path / "1")
    assert names_in(base_path) == {"1"}
    assert (base_path / "1" / "variables" / "data").read_bytes() == b"1234"
    assert (base_path / "1" / "graph.pb").read_bytes() == b"5678"


def test_published_folder_can_be_read_by_others(tmp_path: Path) -> None:
    """A published folder lets another user in, such as the one a model server runs as."""
    with staged_folder(tmp_path) as staged:
        publish(staged, tmp_path / "1")
    assert (tmp_path / "1").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("content", [None, "kept"], ids=["empty folder", "folder with a file"])
def test_taken_place_is_refused_and_not_changed(tmp_path: Path, content: str | None) -> None:
    """Publishing where a folder is refuses, even where the folder is empty, and leaves it as it was."""
    (tmp_path / "1").mkdir()
    if content:
        (tmp_path / "1" / "file").write_text(content)
    before = {path.name: path.read_text() for path in (tmp_path / "1").iterdir()}
    with staged_folder(tmp_path) as staged:
        (staged / "new").write_text("new")
        with pytest.raises(AlreadyPublishedError, match=r"1 exists already; what is published never changes\.$"):
            publish(staged, tmp_path / "1")
        assert (staged / "new").read_text() == "new"
    assert {path.name: path.read_text() for path in (tmp_path / "1").iterdir()} == before
    assert names_in(tmp_path) == {"1"}


def test_place_taken_by_a_file_is_refused(tmp_path: Path) -> None:
    """Publishing where a file is refuses and leaves the file."""
    (tmp_path / "1").write_text("a file")
    with staged_folder(tmp_path) as staged, pytest.raises(AlreadyPublishedError):
        publish(staged, tmp_path / "1")
    assert (tmp_path / "1").read_text() == "a file"


def test_staged_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    """A folder whose making failed leaves nothing behind, and the error passes through."""

    def fail_half_way() -> None:
        with staged_folder(tmp_path) as staged:
            (staged / "half").write_bytes(b"x")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert names_in(tmp_path) == set()


def test_staged_folder_is_removed_when_nothing_was_published(tmp_path: Path) -> None:
    """A folder that nobody published leaves nothing behind."""
    with staged_folder(tmp_path) as staged:
        assert names_in(tmp_path) == {staged.name}
    assert names_in(tmp_path) == set()


def test_two_folders_can_be_staged_at_once(tmp_path: Path) -> None:
    """Two folders staged at once by one process do not take each other for leftovers."""
    with staged_folder(tmp_path) as one, staged_folder(tmp_path) as two:
        assert names_in(tmp_path) == {one.name, two.name}
        publish(two, tmp_path / "1")
        publish(one, tmp_path / "2")
    assert published_versions(tmp_path) == [1, 2]


def test_digest_of_a_version_leaves_out_what_changes_by_itself(tmp_path: Path) -> None:
    """Manifest, blessing and TensorFlow's fingerprint do not count; everything else does, by name and content."""
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").write_text("graph")
    digest = digest_of_version(tmp_path)
    for name in ("assets.extra/manifest.json", "assets.extra/blessing.json", "fingerprint.pb"):
        (tmp_path / name).write_text("changes")
    assert digest_of_version(tmp_path) == digest
    (tmp_path / "assets.extra" / "fingerprint.pb").write_text("of that name elsewhere")
    assert digest_of_version(tmp_path) != digest


def publish_numbers(base_path: Path, *numbers: int) -> None:
    for number in numbers:
        (base_path / str(number)).mkdir(parents=True)
        (base_path / str(number) / "graph.pb").write_text(f"graph {number}")


def test_withdrawn_version_is_hidden_with_all_its_files(tmp_path: Path) -> None:
    """A withdrawn version is no published one, and lies whole beside the others."""
    publish_numbers(tmp_path, 1, 2)
    place = withdraw(tmp_path / "2")
    assert (published_versions(tmp_path), withdrawn_versions(tmp_path)) == ([1], [2])
    assert place == tmp_path / ".withdrawn-2" == withdrawn_place(tmp_path / "2")
    assert (place / "graph.pb").read_text() == "graph 2"
    assert published_place(place) == published_place(tmp_path / "2") == tmp_path / "2"


def test_withdrawn_number_is_never_given_again(tmp_path: Path) -> None:
    """The next version comes after the withdrawn ones too, and nothing can be published in the place of one."""
    publish_numbers(tmp_path, 1, 9)
    withdraw(tmp_path / "9")
    assert next_version(tmp_path) == 10
    with staged_folder(tmp_path) as staged, pytest.raises(AlreadyPublishedError, match="9 was withdrawn; its number"):
        publish(staged, tmp_path / "9")
    assert published_versions(tmp_path) == [1]


def test_last_version_is_only_withdrawn_when_that_is_said(tmp_path: Path) -> None:
    """The only version left stays, unless even the last one should go."""
    publish_numbers(tmp_path, 3, 4)
    withdraw(tmp_path / "4")
    with pytest.raises(LastVersionError, match=r"3 is the only version left of .*; nothing else can be served\.$"):
        withdraw(tmp_path / "3")
    assert published_versions(tmp_path) == [3]
    withdraw(tmp_path / "3", even_the_last=True)
    assert (published_versions(tmp_path), withdrawn_versions(tmp_path), next_version(tmp_path)) == ([], [3, 4], 5)


def test_what_is_no_version_cannot_be_withdrawn(tmp_path: Path) -> None:
    """Another folder, a missing one and a hidden one are refused; nothing moves."""
    publish_numbers(tmp_path, 1, 2)
    (tmp_path / "notes").mkdir()
    withdraw(tmp_path / "2")
    before = names_in(tmp_path)
    for name in ("notes", "2", "7", ".withdrawn-2"):
        with pytest.raises(ContractError, match="There is no published version at"):
            withdraw(tmp_path / name)
    assert names_in(tmp_path) == before


def test_second_folder_of_a_withdrawn_number_stays_where_it_is(tmp_path: Path) -> None:
    """A folder that somebody put back by hand does not overwrite the one that was withdrawn."""
    publish_numbers(tmp_path, 1, 2)
    withdraw(tmp_path / "2")
    publish_numbers(tmp_path, 2)
    with pytest.raises(ContractError, match="version 2 was withdrawn before; move one away"):
        withdraw(tmp_path / "2")
    assert published_versions(tmp_path) == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
def test_full_disk_is_said_with_the_folder(tmp_path: Path) -> None:
    """An error of a write, which names no file, names the folder that was to be filled; what was staged is gone."""
    with pytest.raises(OSError, match="No space left on device") as caught, staged_folder(tmp_path):
        Path("/dev/full").write_text("x")
    assert caught.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []

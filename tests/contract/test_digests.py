"""Content identity: the same content has the same digest, any other has another."""

import hashlib
from pathlib import Path

import pytest

from contract.digests import digest_of_bytes, digest_of_entries, digest_of_file, digest_of_folder


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


FILES = {"b.txt": b"two", "sub/a.txt": b"one", "sub/empty": b""}


def test_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    """A digest is `sha256:` and the well-known hex digest, of bytes as of a file."""
    (tmp_path / "file").write_bytes(b"content")
    expected = "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert digest_of_bytes(b"content") == expected
    assert digest_of_file(tmp_path / "file") == expected


def test_order_of_entries_does_not_matter() -> None:
    """Entries in any order have one digest."""
    entries = [("a", "sha256:1"), ("b", "sha256:2"), ("c", "sha256:0")]
    assert digest_of_entries(entries) == digest_of_entries(reversed(entries))


def test_names_and_digests_do_not_run_into_each_other() -> None:
    """Contents that change places between two names change the digest."""
    assert digest_of_entries([("a", "1"), ("b", "2")]) != digest_of_entries([("a", "2"), ("b", "1")])


def test_folder_digest_is_the_same_wherever_it_lies(tmp_path: Path) -> None:
    """Two folders with the same files have one digest, whichever file was written first."""
    one = folder_of(tmp_path / "one", FILES)
    two = folder_of(tmp_path / "deep" / "two", dict(reversed(FILES.items())))
    assert digest_of_folder(one) == digest_of_folder(two)


@pytest.mark.parametrize(
    "files",
    [
        FILES | {"b.txt": b"twO"},
        {"b.txt": b"two", "sub/c.txt": b"one", "sub/empty": b""},
        {"b.txt": b"two", "a.txt": b"one", "sub/empty": b""},
        FILES | {"sub/more": b""},
        {"b.txt": b"two", "sub/a.txt": b"one"},
    ],
    ids=["byte", "name", "folder", "added", "removed"],
)
def test_folder_digest_changes_with_its_content(tmp_path: Path, files: dict[str, bytes]) -> None:
    """A changed byte, name or folder and an added or removed file change the digest."""
    before = digest_of_folder(folder_of(tmp_path / "before", FILES))
    assert digest_of_folder(folder_of(tmp_path / "after", files)) != before


def test_keep_says_which_files_count(tmp_path: Path) -> None:
    """A file that `keep` refuses by its relative name may change freely; the others may not."""
    folder = folder_of(tmp_path, FILES)

    def digest() -> str:
        return digest_of_folder(folder, keep=lambda name: name != "sub/a.txt")

    before = digest()
    (folder / "sub" / "a.txt").write_bytes(b"changed")
    assert digest() == before
    (folder / "b.txt").write_bytes(b"changed")
    assert digest() != before

"""Whether files on disk are still as recorded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from contract.digests import digest_of_file
from lineage.results import RecordedFolder
from lineage.store import Lineage

Problem = Literal["missing", "changed", "added", "unreadable"]


@dataclass(frozen=True)
class Mismatch:
    """A file or folder that is not as recorded; `found` is its digest now, or why it cannot be read."""

    within: RecordedFolder
    path: Path
    problem: Problem
    recorded: str | None = None
    found: str | None = None


@dataclass(frozen=True)
class Checked:
    """A folder that was checked, and what does not match."""

    folder: RecordedFolder
    mismatches: tuple[Mismatch, ...]


def check_everything(
    lineage: Lineage,
    on_folder: Callable[[RecordedFolder], None] = lambda _: None,
    on_file: Callable[[], None] = lambda: None,
) -> Iterator[Checked]:
    """Hash the files of each recorded folder; `on_folder` is called before each one, `on_file` after files."""
    digest_once = cache(digest_of_file)  # several splits of one data set are several records of the same files
    for folder in lineage.everything_on_disk():
        on_folder(folder)
        yield Checked(folder, tuple(_check_folder(folder, digest_once, on_file)))


def _check_folder(
    recorded: RecordedFolder, digest_of: Callable[[Path], str], on_file: Callable[[], None]
) -> Iterator[Mismatch]:
    if not recorded.folder.is_dir():
        if not recorded.may_be_gone:
            yield Mismatch(recorded, recorded.folder, "missing")
        return
    for name, digest in sorted(recorded.files.items()):
        path = recorded.folder / name
        try:
            found = digest_of(path)
        except (FileNotFoundError, NotADirectoryError):
            yield Mismatch(recorded, path, "missing", digest)
        except OSError as error:
            yield Mismatch(recorded, path, "unreadable", digest, error.strerror)
        else:
            if found != digest:
                yield Mismatch(recorded, path, "changed", digest, found)
        on_file()
    if recorded.closed:
        yield from _added(recorded)


def _added(recorded: RecordedFolder) -> Iterator[Mismatch]:
    for path in sorted(recorded.folder.rglob("*")):
        if path.is_file() and path.relative_to(recorded.folder).as_posix() not in recorded.files:
            yield Mismatch(recorded, path, "added")

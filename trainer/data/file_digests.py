"""Digests of files, and which files have the same bytes."""

from collections import defaultdict
from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contract.digests import digest_of_file
from trainer.data.folders.walk import plain_name
from trainer.errors import DataSetError

_THREADS = 4  # reading and hashing both let other threads run


def digests_of(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each path with the digest of its file, in order; several files are read at once.

    Raises:
        DataSetError: a file cannot be read.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        yield from zip(paths, threads.map(_digest_of, paths), strict=True)


def same_bytes_together(paths: Sequence[Path], digests: MutableMapping[Path, str]) -> list[list[Path]]:
    """Group files of the same bytes; the groups come in the order of their first files.

    Only files of one size are compared; the digests that this takes are added to `digests`.

    Raises:
        DataSetError: a file cannot be read.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        by_size[_size_of(path)].append(path)
    compared = [path for alike in by_size.values() if len(alike) > 1 for path in alike]
    digests.update(digests_of([path for path in compared if path not in digests]))
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(digests.get(path, str(path)), []).append(path)
    return list(groups.values())


def _digest_of(path: Path) -> str:
    try:
        return digest_of_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataSetError:
    return DataSetError(f"{plain_name(path)} cannot be read: {error.strerror}; repair or remove it.")

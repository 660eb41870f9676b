"""Digests: the same content has the same digest, wherever it lies."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path


def digest_of_bytes(content: bytes | memoryview) -> str:
    """Return `sha256:` and the hex digest of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_file(path: Path) -> str:
    """Return the digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def digest_of_entries(entries: Iterable[tuple[str, str]]) -> str:
    """Return the digest of (name, digest) pairs; their order does not matter."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(entries))
    return digest_of_bytes(lines.encode())


def digest_of_folder(folder: Path, *, keep: Callable[[str], bool] = lambda _: True) -> str:
    """Return the digest of a folder's files: relative names with `/`, and contents.

    `keep` says of each relative name whether it counts.
    """
    files = (path for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(folder).as_posix(), path) for path in files)
    return digest_of_entries((name, digest_of_file(path)) for name, path in names if keep(name))

"""The layout of a model base path, and publishing that is atomic.

A base path holds one folder per version, named by a positive integer, as TensorFlow Serving expects. A folder is
written under a hidden name beside its place, flushed to disk and then renamed; a reader sees all of it or nothing. A
version is withdrawn by the opposite rename: its folder gets a hidden name, which servers ignore, and its number is
never used again.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contract.digests import digest_of_folder
from contract.errors import ContractError
from contract.storage.unwritable import naming_folder

MANIFEST = "assets.extra/manifest.json"
WARMUP = "assets.extra/tf_serving_warmup_requests"
FIXTURES = "assets.extra/fixtures"
BLESSING = "assets.extra/blessing.json"
LABELS = "assets/labels.txt"
LITERT_NETWORK = "assets.extra/network.tflite"
"""The network of `serving_pixels`, float32, for one image, for servers with LiteRT; a version may lack it."""

_NOT_IN_DIGEST = {MANIFEST, BLESSING, "fingerprint.pb"}
"""The manifest contains the digest, the blessing a time, and the fingerprint a random number of TensorFlow's."""

_VERSION_NAME = re.compile("[1-9][0-9]*")  # 007 would be another folder than 7
_STAGING_PREFIX = ".unfinished-"
_WITHDRAWN_PREFIX = ".withdrawn-"
_MAX_VERSION = 2**63 - 1


class AlreadyPublishedError(ContractError):
    """The place where a folder should appear is taken."""


class LastVersionError(ContractError):
    """Without this version there would be nothing left to serve."""


def digest_of_version(folder: Path) -> str:
    """Return the digest of a version as its manifest states it: over graph, variables, assets, fixtures and warmup."""
    return digest_of_folder(folder, keep=lambda name: name not in _NOT_IN_DIGEST)


def published_versions(base_path: Path) -> list[int]:
    """Return the version numbers under `base_path`, ascending; empty where there is no such folder."""
    return _versions(base_path, prefix="")


def withdrawn_versions(base_path: Path) -> list[int]:
    """Return the numbers of the versions under `base_path` that were withdrawn, ascending."""
    return _versions(base_path, prefix=_WITHDRAWN_PREFIX)


def next_version(base_path: Path) -> int:
    """Return the version number that comes after all published and all withdrawn ones, from 1."""
    return max([*published_versions(base_path), *withdrawn_versions(base_path)], default=0) + 1


def withdrawn_place(folder: Path) -> Path:
    """Return the place of the published version `folder` after it is withdrawn."""
    return folder.with_name(f"{_WITHDRAWN_PREFIX}{folder.name}")


def published_place(folder: Path) -> Path:
    """Return where the version in `folder` was published, whether or not it was withdrawn since."""
    return folder.with_name(folder.name.removeprefix(_WITHDRAWN_PREFIX))


def withdraw(folder: Path, *, even_the_last: bool = False) -> Path:
    """Take the published version `folder` out of the servers' sight in one rename; return its new place.

    Raises:
        ContractError: there is no such version, or its hidden place is taken; nothing was changed.
        LastVersionError: it is the only one, and `even_the_last` is false; nothing was changed.
    """
    base_path, target = folder.parent, withdrawn_place(folder)
    if not _is_version(folder, prefix=""):
        raise ContractError(f"There is no published version at {folder}.")
    with _locked(base_path):  # or two at once could withdraw the last two versions
        if published_versions(base_path) == [int(folder.name)] and not even_the_last:
            raise LastVersionError(
                f"{folder} is the only version left of {base_path.name}; nothing else can be served."
            )
        if target.exists():
            raise ContractError(f"{target} exists already: version {folder.name} was withdrawn before; move one away.")
        folder.rename(target)
        _force_to_disk(base_path)
    return target


@contextlib.contextmanager
def staged_folder(parent: Path) -> Iterator[Path]:
    """Yield a new hidden folder under `parent`, removed at the end unless `publish` renamed it.

    Leftovers of processes that were killed are removed first. A running process holds a lock on its folder, which
    the kernel releases when the process ends, however it ends. If the disk is full, the error names `parent`.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent):  # or a cleaner could take the new folder for a leftover before it is locked
        _remove_leftovers(parent)
        folder = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=parent))
        folder.chmod(0o755)  # mkdtemp's 0700 would keep a model server of another user out
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with naming_folder(parent):
            yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, target: Path) -> None:
    """Make the folder `staged` appear as `target`, complete and on disk.

    Raises:
        AlreadyPublishedError: `target` exists; nothing was changed.
    """
    for path in staged.rglob("*"):
        _force_to_disk(path)
    _force_to_disk(staged)
    with _locked(target.parent):  # or it could be published and withdrawn between the looks and the rename
        if target.exists():  # an empty folder would be silently replaced by the rename
            raise AlreadyPublishedError(f"{target} exists already; what is published never changes.")
        if withdrawn_place(target).exists():
            raise AlreadyPublishedError(f"{target} was withdrawn; its number is not used again.")
        try:
            staged.rename(target)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise AlreadyPublishedError(f"{target} exists already; what is published never changes.") from error
            raise
        _force_to_disk(target.parent)


def _versions(base_path: Path, *, prefix: str) -> list[int]:
    if not base_path.is_dir():
        return []
    folders = (path for path in base_path.iterdir() if _is_version(path, prefix=prefix))
    return sorted(int(folder.name.removeprefix(prefix)) for folder in folders)


def _is_version(folder: Path, *, prefix: str) -> bool:
    number = folder.name.removeprefix(prefix)
    named = folder.name.startswith(prefix) and _VERSION_NAME.fullmatch(number)
    return bool(named) and int(number) <= _MAX_VERSION and folder.is_dir()


def _force_to_disk(path: Path) -> None:
    with _opened(path) as descriptor:
        os.fsync(descriptor)


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{_STAGING_PREFIX}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _opened(folder) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its owner lives
            shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

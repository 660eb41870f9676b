"""The version folders under a base path, as TensorFlow Serving reads them."""

from pathlib import Path

_MAX_VERSION = 2**63 - 1


def version_folders(base_path: Path) -> dict[int, Path] | None:
    """Return the folders of the versions by number, or None where there is no base path.

    TensorFlow Serving also takes version 0 and leading zeros, which `graft export` never writes: `00000123` is
    version 123. Where two names mean the same number, the shorter one is taken.

    Raises:
        OSError: the base path cannot be read.
    """
    try:
        named = [path for path in base_path.iterdir() if path.name.isascii() and path.name.isdecimal()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    longest_first = sorted(named, key=lambda path: len(path.name), reverse=True)
    folders = {int(path.name): path for path in longest_first if path.is_dir()}
    return {number: folder for number, folder in folders.items() if number <= _MAX_VERSION}

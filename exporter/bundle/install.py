"""Where a bundle is put, and how it appears there: complete, or not at all. No TensorFlow here."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from contract.storage.unwritable import too_little_room, why_unwritable
from contract.versions import publish, staged_folder
from exporter.errors import ExportError, NoRoomError
from exporter.tflite.records import MobileBundle, Requested

_SHARES: dict[Requested, float] = {"float32": 1, "float16": 0.5, "dynamic": 0.25, "int8": 0.25}
"""What a file takes, as a share of the weights in single precision."""


def check_place(out: Path, *, replace: bool) -> None:
    """Refuse a path that exists, unless it is a bundle that is to be replaced.

    Raises:
        ExportError: something lies at `out` already.
        ContractError: it should be replaced, but is not a bundle.
    """
    if not out.exists():
        return
    if not replace:
        raise ExportError(f"{out} exists already; give another --out, or --replace if it is an older bundle.")
    MobileBundle.read(out)  # so that a mistyped --out never costs anything but a bundle


def check_room(out: Path, version: Path, variants: Iterable[Requested]) -> None:
    """Refuse a folder that cannot be written, or whose disk has less room than the variants of a version will take.

    Raises:
        NoRoomError: it cannot, or has not.
    """
    parent = out.absolute().parent
    weights = sum(path.stat().st_size for path in [version / "saved_model.pb", *(version / "variables").glob("*")])
    needed = int(sum(_SHARES[variant] for variant in variants) * weights)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise NoRoomError(f"{why_unwritable(error, parent, needed)}; make room, or give another --out.") from error
    if short := too_little_room(parent, needed):
        raise NoRoomError(f"{short} for the bundle; nothing was made: make room, or give another --out.")


def put_in_place(staged: Path, out: Path, *, replace: bool) -> None:
    """Move the folder `staged` to `out`. If a bundle is replaced, there is none for a moment between the two.

    Raises:
        AlreadyPublishedError: something lies at `out`, and is not to be replaced.
    """
    if not (replace and out.exists()):
        publish(staged, out)
        return
    with staged_folder(out.parent) as attic:
        old = out.rename(attic / out.name)
        try:
            publish(staged, out)
        except BaseException:
            old.rename(out)
            raise

"""Where a bundle is put, and how it appears there: complete, or not at all. No TensorFlow here."""

from pathlib import Path

from contract.versions import publish, staged_folder
from exporter.errors import ExportError
from exporter.tflite.records import MobileBundle


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

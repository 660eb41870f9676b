"""A file that a user names for a result: it has all of it or what it had before."""

from pathlib import Path


def write_whole(target: Path, text: str) -> None:
    """Write text to a file at once; a link stays one, and a pipe or a device gets the text.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    if target.exists() and not target.is_file():  # replacing /dev/null would take it from everybody
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
        return
    target = target.resolve()
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)

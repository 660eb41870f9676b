r"""Paths as text that every database takes, and back, byte for byte.

A file's name on disk is bytes and need not be UTF-8. Stray bytes are written `\xff`, and a backslash is doubled.
"""

import os
import re
from pathlib import Path, PurePath

_ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def as_text(path: PurePath) -> str:
    """Return the path as valid text; an ordinary one, in any script, as it is."""
    return os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def as_path(text: str) -> Path:
    """Return the path that `as_text` turned into this text."""
    return Path(os.fsdecode(_ESCAPED.sub(_byte, text.encode())))


def _byte(found: "re.Match[bytes]") -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else b"\\"

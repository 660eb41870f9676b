"""Base64 in JSON, for all protocols."""

import pybase64

from contract.process.interpreter_turns import length_without, pieces

_WHITE_SPACE = b" \t\n\v\f\r"


def decode_base64(text: str) -> bytes:
    """Return the bytes of standard base64, with or without padding and white space.

    pybase64, because the standard library takes 45 times as long (30 KB: 270 µs instead of 6 µs).

    Raises:
        ValueError: the text is not base64.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:  # also for other than ASCII, here and below
        plain = text.encode("ascii")
    dense = b"".join(each.translate(None, _WHITE_SPACE) for each in pieces(plain))
    digits = dense[: length_without(dense, b"=")]
    missing = -len(digits) % 4
    if missing == 3 or len(dense) - len(digits) not in {0, missing}:
        raise ValueError("base64 of an impossible length")
    return pybase64.b64decode(digits + b"=" * missing, validate=True)

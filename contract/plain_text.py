"""Text for a terminal or a log: a name is one line of it, and can neither end the line nor control the terminal."""

import unicodedata

_ODD_CATEGORIES = {"Cc", "Cs", "Cn", "Zl", "Zp"}
_DIRECTIONS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def plain_text(text: str) -> str:
    r"""Return text as one line: line ends, control characters, turns of direction and lone surrogates are escaped.

    A surrogate that stands for a byte of a file's name is written as that byte, as `\xff`. Ordinary text, in any
    script, comes back as it is, with the joiners and blanks that its script needs. Doing it twice changes nothing more.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if _is_odd(character) else character for character in text)


def _is_odd(character: str) -> bool:
    return unicodedata.category(character) in _ODD_CATEGORIES or character in _DIRECTIONS


def _escaped(character: str) -> str:
    is_byte = "\udc80" <= character <= "\udcff"  # as Python reads names of files that are not UTF-8
    return f"\\x{ord(character) - 0xDC00:02x}" if is_byte else ascii(character)[1:-1]

"""Strings as names of files, labels, runs and keys may be, and what is right where a verb prints one."""

import re
import unicodedata

from hypothesis import strategies

from contract.plain_text import plain_text

_PIECES = (
    *("[m8]", "[/b]", "[bold red]", ":star:", ":smile:", "\\", "%s", "{0}", "<b>"),
    *("\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\n", "\r", "\r\n", "\t", "\x08", "\x7f", "\x85", "\u2028", "\u2029"),
    *(
        "\u202e",
        "\u2066",
        "\u200f",
        "\u200c",
        "\u200d",
        "👩‍👩‍👧",
        "日本",
        "e\u0301",
        "ß",
        "\u3000",
        " ",
        "\udcff",
        "name",
    ),
)
_LONG = 25
"""Of a longer name the pieces stand in several lines of a table's cell, beside those of other cells."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

odd_names = (
    strategies.lists(
        strategies.sampled_from(_PIECES)
        | strategies.text(max_size=4)
        | strategies.sampled_from(("long " * 80, "x" * 300)),
        min_size=1,
        max_size=5,
    )
    .map("".join)
    .filter(lambda name: any(unicodedata.category(character)[0] in "LNPS" for character in name))
)
"""With something that can be seen: a table has no width for a name of joiners alone."""

odd_arguments = strategies.lists(strategies.sampled_from(_PIECES), min_size=1, max_size=4).map(
    lambda pieces: f"x{''.join(pieces)}"  # an argument that begins with a dash is an option
)
"""As the system can hand over: no zero bytes, and bytes that are not UTF-8 as Python reads them."""


def raw_controls(printed: str) -> list[str]:
    """Return the characters of printed lines that control a terminal, turn directions or are not text."""
    return [
        character
        for character in printed.replace("\n", "")
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067"
    ]


def without_colours(printed: str) -> str:
    """Return what a terminal shows, without the sequences that Rich writes itself."""
    return _COLOURS.sub("", printed).replace("\r", "")


def check_printed(printed: str, name: str) -> None:
    """See that a name is in what was printed, as it is or escaped, and that it controls nothing."""
    assert raw_controls(printed) == []
    printed.encode()
    if len(plain_text(name)) <= _LONG:
        assert _without_blanks(plain_text(name)) in _without_blanks(printed), (name, printed)


def _without_blanks(text: str) -> str:
    return re.sub(r"\s+", "", text)

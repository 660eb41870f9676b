"""Turns of Python's threads, of which one runs at a time."""

import gc
import sys
from collections.abc import Iterator
from typing import TypeVar

_LONGEST_TURN_SECONDS = 0.0002

_Text = TypeVar("_Text", bytes, str)

PIECE_BYTES = 128 * 1024
"""What a search or a count goes through at once: no thread gets a turn before such a call is over."""


def take_short_turns() -> None:
    """Let a thread that computes give way after 0.2 ms instead of 5.

    A request needs a dozen turns of the event loop. Beside a body of megabytes that a thread reads, each of them waits.
    """
    sys.setswitchinterval(_LONGEST_TURN_SECONDS)


def leave_to_the_end() -> None:
    """Never look again for garbage among the objects that are there now, which stay until the process ends.

    A full collection stops every thread; among a gateway's 87,000 objects it took 22 ms.
    """
    gc.collect()
    gc.freeze()


def find_in_pieces(content: bytes, wanted: bytes, start: int = 0) -> int:
    """Return what `content.find(wanted, start)` does, with turns for others in between."""
    for at in range(start, len(content), PIECE_BYTES):
        if (found := content.find(wanted, at, at + PIECE_BYTES + len(wanted) - 1)) >= 0:
            return found
    return -1


def length_without(content: _Text, ending: _Text) -> int:
    """Return the length of `content.rstrip(ending)`, with turns for others in between."""
    end = len(content)
    while end:
        start = max(end - PIECE_BYTES, 0)
        if rest := len(content[start:end].rstrip(ending)):
            return start + rest
        end = start
    return 0


def pieces(content: _Text) -> Iterator[_Text]:
    """Yield the content in pieces, none of them long."""
    if len(content) <= PIECE_BYTES:
        yield content
        return
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]

"""Long searches give others a turn, and find what short ones do."""

import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.process.interpreter_turns import PIECE_BYTES, find_in_pieces, length_without, pieces


@given(st.binary(min_size=1, max_size=5), st.integers(-9, 9), st.integers(0, 4), st.integers(0, 200_000))
def test_what_lies_across_a_border_is_found(wanted: bytes, around: int, border: int, start: int) -> None:
    """Wherever the bytes are, the place is that of `find`."""
    content = bytearray(4 * PIECE_BYTES)
    at = max(border * PIECE_BYTES + around, 0)
    content[at : at + len(wanted)] = wanted
    found = bytes(content)
    assert find_in_pieces(found, wanted, start) == found.find(wanted, start)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_an_ending_of_any_length_is_left_out(size: int) -> None:
    """The length is that of `rstrip`, of text and of bytes."""
    for beginning in ("", "a", "ab" * PIECE_BYTES):
        text = beginning + "=\n" * (size // 2) + "=" * (size % 2)
        assert length_without(text, "=\n") == len(text.rstrip("=\n"))
        assert length_without(text.encode(), b"=\n") == len(text.rstrip("=\n"))


@given(st.integers(0, 3 * PIECE_BYTES))
def test_pieces_are_the_whole(size: int) -> None:
    """None is long, and together they are what was given."""
    content = bytes(range(256)) * (size // 256)
    found = list(pieces(content))
    assert b"".join(found) == content
    assert max(map(len, found)) <= PIECE_BYTES


TURNS = """
import sys, threading
from contract.process.interpreter_turns import take_short_turns
before = sys.getswitchinterval()
take_short_turns()
assert sys.getswitchinterval() < before / 10
"""


def test_turns_are_short() -> None:
    """A thread that computes gives way much sooner than by itself."""
    assert subprocess.run([sys.executable, "-c", TURNS], check=False).returncode == 0


OBJECTS = """
import gc
from contract.process.interpreter_turns import leave_to_the_end
kept = [[number] for number in range(100_000)]
before = len(gc.get_objects())
leave_to_the_end()
assert before > 100_000
assert len(gc.get_objects()) < 1_000
assert kept[7] == [7]
"""


def test_what_is_there_at_the_start_is_not_looked_through_again() -> None:
    """The collector has no objects left of those that were made before."""
    assert subprocess.run([sys.executable, "-c", OBJECTS], check=False).returncode == 0


def test_another_thread_has_a_turn_while_megabytes_are_searched() -> None:
    """A search of many pieces lets a second thread run before it is over."""
    content = b"\r\n" * 20_000_000
    beginning, ran, over = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        beginning.set()
        while not over.is_set():
            ran.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert beginning.wait(30)
    seen = []
    for _ in range(5):  # the other may have had its turn before the search began
        ran.clear()
        find_in_pieces(content, b"\r\n--b")
        seen.append(ran.is_set())
    over.set()
    thread.join()
    assert any(seen)

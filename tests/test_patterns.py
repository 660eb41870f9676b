"""No regular expression over a caller's text takes more than linear time: 80 KB once held up a gateway for a minute."""

import importlib
import itertools
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cpu_time import quiet_cpu_seconds
from tests.places import ROOT

PACKAGES = ("contract", "gateway", "modelserver", "graft")
LENGTH = 20_000
MOST_SECONDS = 0.1
"""Linear patterns take a millisecond; a quadratic one takes half a second or more."""

CHARACTERS = (*" \t\n\r\\\"'`.,:;/+-_=?!%#&*()[]{}<>|^~@$aAzZ09", "\0", "\xff")


def modules_with_patterns() -> Iterator[str]:
    """Yield the name of each module that compiles a pattern."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "re.compile(" in path.read_text():
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def patterns_of(module: str) -> dict[str, re.Pattern[Any]]:
    """Return the patterns of a module, by name."""
    found = vars(importlib.import_module(module))
    return {name: value for name, value in found.items() if isinstance(value, re.Pattern)}


def texts_for(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Yield long texts that begin as matches may, over and over, and never end as they must."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    plain = re.sub(r"\\([^\w])|\\x(?:ff|00)|\\[a-zA-Z]", lambda found: found[1] or "", source)
    words = {word for word in re.findall(r"[^()*+?|^$]+", plain) if len(word) > 1}
    words |= {word[:-1] for word in words} | set(re.findall(r"[A-Za-z]{2,}", plain)) | {plain}
    units = [*CHARACTERS, *words, *("".join(pair) for pair in itertools.product(sorted(words), CHARACTERS[:12]))]
    for unit in units:
        repeated = unit * (LENGTH // len(unit))
        yield repeated
        yield repeated + "\n\0"


def seconds_of(pattern: re.Pattern[Any], text: str) -> float:
    """Return the time that the pattern takes for a text, used in every way."""
    content = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text

    def use() -> None:
        pattern.search(content)
        pattern.fullmatch(content)
        pattern.sub(content[:0], content)

    started = time.thread_time()
    use()
    once = time.thread_time() - started
    return quiet_cpu_seconds(use, MOST_SECONDS) if MOST_SECONDS < once < 3 * MOST_SECONDS else once


@pytest.mark.parametrize("module", list(modules_with_patterns()))
def test_every_pattern_is_linear(module: str) -> None:
    """Each takes milliseconds for 20 KB of what it looks for, however often that begins and does not end."""
    slow = {
        (name, text[:30])
        for name, pattern in patterns_of(module).items()
        for text in texts_for(pattern)
        if seconds_of(pattern, text) > MOST_SECONDS
    }
    assert not slow


def test_a_quadratic_pattern_is_noticed() -> None:
    """The texts are such that patterns which once were here are found to be slow."""
    for source in (r"\s*\[\[\{\{.*|\{\{node [^}]*\}\}", r"data:[^,]*;base64,"):
        pattern = re.compile(source, re.DOTALL)
        assert any(seconds_of(pattern, text) > MOST_SECONDS for text in texts_for(pattern)), source

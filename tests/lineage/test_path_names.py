"""Paths of any bytes go into a database as text, and come back."""

import os
from pathlib import Path

import pytest

from lineage.path_names import as_path, as_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"/data/flowers", "/data/flowers"),
        ("/данные/花/🌷".encode(), "/данные/花/🌷"),
        (b"/caf\xe9", r"/caf\xe9"),
        (rb"/caf\xe9", r"/caf\\xe9"),
        (b"/a\\", "/a\\\\"),
        (b"/line\nbreak", "/line\nbreak"),
    ],
)
def test_any_path_becomes_text_and_comes_back(name: bytes, text: str) -> None:
    """An ordinary path is its own text; stray bytes and backslashes are written so that they can be told apart."""
    path = Path(os.fsdecode(name))
    assert as_text(path) == text
    assert as_path(text) == path
    text.encode()

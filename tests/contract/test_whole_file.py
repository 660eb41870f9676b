"""A named file for a result is written at once, and nothing else is put in the place of a pipe or a link."""

import os
import threading
from pathlib import Path

from contract.storage.whole_file import write_whole


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it leads to gets the text."""
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").write_text("old")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_gets_the_text(tmp_path: Path) -> None:
    """What waits at its other end reads it; the pipe is still there, as /dev/null would be."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_whole(pipe, "new")
    reader.join(10)
    assert read == ["new"]
    assert pipe.is_fifo()

"""`--server`: export, withdraw and rollback say what a running server makes of it, and warn where it hangs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graft.actions.versions.server_watch import watch_published, watch_withdrawn
from tests.fakes.model_server import FakeModelServer
from tests.graft.places import make_place
from trainer.progress import Progress

SHORT = 0.3


class Notes(Progress):
    """Keeps the lines for the user."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_note(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """A model server with version 1 of the model colours."""
    fake = FakeModelServer()
    fake.start()
    fake.publish("colours", 1)
    yield fake
    fake.stop()


@pytest.fixture
def notes() -> Notes:
    """What a user reads."""
    return Notes()


def test_a_version_that_is_served(server: FakeModelServer, notes: Notes) -> None:
    """Once the server serves the new version there is one line, and no warning."""
    server.publish("colours", 2)
    watch_published(server.address, "colours", 2, notes, 60)
    assert notes.lines == [f"The model server at {server.address} serves version 2."]


def test_a_version_that_waits_for_a_broken_one(server: FakeModelServer, notes: Notes) -> None:
    """A server that is busy with an older version and has not begun with the new one is named with the way out."""
    server.publish("colours", 2, state="LOADING")
    watch_published(server.address, "colours", 3, notes, SHORT)
    first, second = notes.lines
    assert first.startswith("Warning: after 0 s the model server at ")
    assert first.endswith(" has not begun with version 3.")
    assert " is busy with version 2 (LOADING)." in second
    assert "graft withdraw models/colours/2 --why TEXT" in second
    assert "--num_load_threads=2" in second


def test_a_version_that_does_not_load(server: FakeModelServer, notes: Notes) -> None:
    """While it is loading that is said; when it has failed, the server's reason is."""
    server.publish("colours", 2, state="LOADING")
    watch_published(server.address, "colours", 2, notes, SHORT)
    assert notes.lines.pop().endswith(" is still loading version 2.")
    server.withdraw("colours", 2, failed=True)
    watch_published(server.address, "colours", 2, notes, SHORT)
    assert notes.lines.pop().endswith("could not load version 2: Op type not registered 'DecodeWebP'.")
    server.publish("colours", 3)
    watch_published(server.address, "colours", 3, notes, SHORT)
    assert notes.lines[-1].startswith("Note: ")
    assert "could not load version 2: Op type" in notes.lines[-1]


def test_a_withdrawn_version_that_the_server_keeps(server: FakeModelServer, notes: Notes) -> None:
    """A withdrawn version that the server goes on loading is a warning; one that ended is a line."""
    server.publish("colours", 2, state="LOADING")
    watch_withdrawn(server.address, "colours", 2, notes, SHORT)
    assert "version 2 is still LOADING" in notes.lines.pop()
    server.withdraw("colours", 2)
    watch_withdrawn(server.address, "colours", 2, notes, SHORT)
    assert notes.lines == [f"The model server at {server.address} does not hold version 2 any more."]


def test_a_model_that_the_server_does_not_know(server: FakeModelServer, notes: Notes) -> None:
    """A server without the model has not begun with it; there is no error."""
    watch_published(server.address, "leaves", 1, notes, SHORT)
    assert notes.lines[0].endswith(" has not begun with version 1.")


def test_a_server_that_cannot_be_asked(server: FakeModelServer, notes: Notes) -> None:
    """No server at that address is a warning in a sentence: what was published stays published."""
    server.stop()
    watch_published(server.address, "colours", 2, notes, SHORT)
    (line,) = notes.lines
    assert line.startswith(f"Warning: what a server makes of it is not known. The model server at {server.address} ")


def test_the_verbs_ask_the_server(server: FakeModelServer, tmp_path: Path) -> None:
    """`withdraw` and `rollback` report what the server that they are given does."""
    place = make_place(tmp_path)
    server.publish("colours", 2)
    server.publish("colours", 3)
    said = place.must("rollback", "models/colours", "--why", "worse", "--server", server.address)
    assert f"The model server at {server.address} serves version 3." in said
    server.withdraw("colours", 3)
    said = place.must("withdraw", "models/colours/3", "--why", "worse", "--server", server.address)
    assert "does not hold version 3 any more" in said

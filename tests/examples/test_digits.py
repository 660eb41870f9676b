"""The demo on handwritten digits: what it reuses, and where it serves. `make demo` itself is run by hand and by CI."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples import digits


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder to work in, with what a whole demo leaves behind."""
    (tmp_path / "demo").mkdir()
    with contextlib.chdir(tmp_path):
        digits.MADE.write_text(json.dumps(digits.SETTINGS))
        for run in ("20260101-000000-base", "20260101-000100-digits"):
            (digits.RUNS / run).mkdir(parents=True)
            (digits.RUNS / run / "run.json").write_text("{}")
        for number in (2, 10):
            (digits.MODELS / "digits" / str(number)).mkdir(parents=True)
        yield tmp_path


def test_what_is_there_is_reused_and_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is trained again; the lines say what is reused, and how to start over."""
    assert digits.was_made_with(digits.SETTINGS)
    assert digits.make_version() == digits.MODELS / "digits" / "10"
    said = " ".join(capsys.readouterr().out.split())
    assert "the run 20260101-000000-base, the run 20260101-000100-digits, the version demo/models/digits/10" in said
    assert "To start over: make demo" in said


def test_other_settings_start_over(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What other settings made, or nobody knows which, is not reused; where there is nothing, nothing is said."""
    assert not digits.was_made_with(digits.SETTINGS | {"network": {}})
    digits.MADE.unlink()
    assert not digits.was_made_with(digits.SETTINGS)
    assert capsys.readouterr().out.count("starting over") == 2


def test_the_first_free_port_from_8000_on_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is passed over, and the line says so."""
    first = digits.free_port()
    with socket.create_server(("127.0.0.1", first)):
        capsys.readouterr()
        assert digits.free_port() > first
        assert "Port 8000 is taken" in capsys.readouterr().out

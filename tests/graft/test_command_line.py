"""The command line: quick where it can be, and clear where it cannot do what was asked."""

import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cpu_time import slowness
from tests.graft.places import Place, make_place

_FIRST_RESPONSE = """
import sys
from graft.cli import app
for arguments in (["--help"], ["gateway", "--help"]):
    try:
        app(arguments)
    except SystemExit as end:
        assert end.code == 0, end.code
import gateway.app, gateway.settings, graft.settings
print("TENSORFLOW" if "tensorflow" in sys.modules else "LIGHT")
"""


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "graft", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_help_names_every_verb() -> None:
    """`graft --help` lists the verbs and exits with 0."""
    shown = run("--help")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in ("train", "export", "modelserver", "gateway", "up", "predict"))


def test_the_version_is_printed() -> None:
    """`graft --version` says what is installed."""
    shown = run("--version")
    assert (shown.returncode, shown.stdout) == (0, f"graft {version('graft-serving')}\n")


def test_help_is_quick() -> None:
    """`graft --help` answers in under half a second of processor time on a quiet machine."""
    code = "import resource, runpy, sys\nsys.argv = ['graft', '--help']\ntry:\n    runpy.run_module('graft')\n"
    code += "except SystemExit:\n    pass\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
    code += "print(used.ru_utime + used.ru_stime)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert float(shown.stdout.splitlines()[-1]) / slowness() < 0.5


def test_the_gateway_verb_never_loads_tensorflow() -> None:
    """Everything that `graft gateway` imports leaves TensorFlow out."""
    shown = subprocess.run(
        [sys.executable, "-c", _FIRST_RESPONSE], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.splitlines()[-1] == "LIGHT"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "nowhere", "--name", "x"], "nowhere; give a folder with one sub-folder of images per class"),
        (["train", ".", "--name", "a/b"], "A model's name may have letters"),
        (["train", ".", "--name", "x", "--set", "model.alfa=1"], "Did you mean model.alpha?"),
        (["train", ".", "--name", "x", "--set", "phase_two.learning_rate=0.01"], "10 to 100 times lower"),
        (["train", ".", "--resume", "latest"], "A run is resumed with the data and settings that it began with"),
        (["export", "latest", "--runs", "nowhere"], "There is no run 'latest'"),
        (["up", "--models", "nowhere"], "There is no published model under nowhere"),
        (["predict", "nowhere*.jpg"], "No file fits the pattern nowhere*.jpg"),
        (["predict", "x.jpg", "--json", "--csv"], "give --json or --csv, not both"),
        (["predict", "x.jpg", "--out", "nowhere/x.csv"], "The predictions cannot be written to nowhere/x.csv"),
        (["predict", __file__, "--url", "http://127.0.0.1:9"], "start one with `graft up`"),
        (["gateway"], "GATEWAY_MODELS"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """Bad input gives one line on standard error and exit code 2, never a traceback."""
    assert sentence in Place(tmp_path).refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "nowhere", "--name", "x"], "nowhere; give a folder with one sub-folder of images per class"),
        (["gateway"], "GATEWAY_MODELS"),
    ],
)
def test_a_process_that_cannot_do_it_ends_with_one_clear_line(arguments: list[str], sentence: str) -> None:
    """So does the command as a person runs it, whose exit code and standard error are those of a process."""
    ended = run(*arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_an_unknown_verb_is_refused() -> None:
    """A verb that does not exist exits with 2 and says so."""
    started = time.monotonic()
    ended = run("serve")
    assert ended.returncode == 2
    assert "No such command" in ended.stderr
    assert time.monotonic() - started < 60


def test_a_port_that_is_taken_is_found_before_anything_starts(tmp_path: Path) -> None:
    """`graft up` names the address and what to do, and has started no model server, whose log would be there."""
    make_place(tmp_path, recorded=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = Place(tmp_path).refused("up", "--port", str(port))
    assert said == (
        f"Cannot listen on 127.0.0.1:{port} (port): Address already in use; end what listens there, or give another "
        "port."
    )

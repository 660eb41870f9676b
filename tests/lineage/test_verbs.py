"""`graft lineage` as a person runs it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from graft.errors import one_clear_line
from graft.verbs.lineage import lineage_app
from lineage.database.location import URL_VARIABLE
from lineage.store import open_lineage
from lineage.version_folder import describe_version
from tests.lineage.made_up import digest
from tests.lineage.made_up_folders import make_run, make_version
from tests.places import ROOT


@dataclass(frozen=True)
class Ended:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


def predict(folder: Path, *arguments: str) -> Ended:
    """Run a verb in a folder, in this process: starting one takes longer than any verb."""
    if URL_VARIABLE in os.environ:
        pytest.skip(f"{URL_VARIABLE} is set, and tests must not write there")
    out, err = io.StringIO(), io.StringIO()
    printed = redirect_stdout(out), redirect_stderr(err)
    with contextlib.chdir(folder), printed[0], printed[1], pytest.raises(SystemExit) as ended, one_clear_line():
        lineage_app(list(arguments))
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def must(folder: Path, *arguments: str) -> str:
    done = predict(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recorded run, one grown on it, and a version of this one. Only to be read."""
    return make_place(tmp_path_factory.mktemp("place"))


def make_place(root: Path) -> Path:
    make_run(root, "first")
    make_version(root, make_run(root, "second", parent="first"))
    assert "Recorded" in must(root, "record", "second")
    return root


def test_show_prints_the_whole_ancestry(place: Path) -> None:
    """`show` prints version, publication, parity, run, settings, code, data set, base, and the run before."""
    shown = must(place, "show", "models/colours/1")
    for part in (
        "version colours/1",
        f"digest {describe_version(place / 'models/colours/1').digest}",
        "published 2026-11-21 13:00 UTC by ",
        "parity: signature serving_default, images 10, largest_difference 1.2e-07",
        "run second, ended 2026-11-21 12:30 UTC after 4:30:15, test accuracy 0.875",
        f"weights {digest('weights of second')}",
        "code 0.2.0",
        "environment: python 3.11.7",
        "model.alpha 0.35",
        f"data set {place}/data",
        "train: 8 images (blue 4, red 4)",
        "base mobilenet_v2, weights: run:first",
        "fine-tuned from run first",
        "base mobilenet_v2, weights: imagenet",
    ):
        assert part in shown, shown


def test_show_tells_everything_as_json(place: Path) -> None:
    """`show --json` is the whole, for programs."""
    shown = json.loads(must(place, "show", "models/colours/1/", "--json"))
    assert shown["export"]["record"]["files"].keys() == {
        "saved_model.pb",
        "assets.extra/manifest.json",
        "assets.extra/blessing.json",
    }
    assert [run["record"]["id"] for run in shown["runs"]] == ["second", "first"]
    assert shown["runs"][0]["record"]["configuration"]["model"]["alpha"] == 0.35


def test_find_goes_from_weights_to_publications(place: Path) -> None:
    """`find` prints what was made from the weights that begin so, down to who published it."""
    digits = digest("weights of first").removeprefix("sha256:")[:10]
    shown = must(place, "find", "--weights-digest", digits)
    positions = [
        shown.index(part) for part in ("run first", "fine-tuned from it: run second", "version colours/1", "published")
    ]
    assert positions == sorted(positions)
    (found,) = json.loads(must(place, "find", "--run", "second", "--json"))
    assert found["exports"][0]["publications"][0]["withdrawal"] is None


def test_verify_says_that_all_is_well(place: Path) -> None:
    """`verify` prints a line for each thing and exits with 0 where all matches."""
    shown = must(place, "verify")
    assert [line.split(" at ")[0] for line in shown.splitlines() if line.startswith("ok")][1:] == [
        "ok       run first",
        "ok       run second",
        "ok       version colours/1",
    ]
    assert shown.splitlines()[-1] == "4 checked, all as recorded."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "models/colours/2"], "No version 2 of colours is recorded."),
        (["show", "latest"], "There is no version at latest; the models are models/colours."),
        (["show", "colours"], "There is no version at colours; give models/colours, which is a published model."),
        (["find"], "Say what to look for: --weights-digest, --dataset-digest, --base-digest, --code-version, --run."),
        (["find", "--run", "third"], "No such run is recorded."),
        (["find", "--base-digest", "xyz"], "'xyz' is not a digest; give its first hex digits"),
        (["withdraw", "models/colours/1", "--why", " "], "Say why it is withdrawn: --why TEXT."),
        (["record", "third"], "There is no run 'third' under runs;"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(place: Path, arguments: list[str], sentence: str) -> None:
    """Bad input gives one line on standard error and exit code 2, never a traceback."""
    ended = predict(place, *arguments)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert sentence in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_asking_in_the_wrong_folder_says_so(tmp_path: Path) -> None:
    """Where there is no lineage, asking says where one was looked for, and makes none."""
    ended = predict(tmp_path, "verify")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"There is no lineage at {tmp_path}/lineage.db;")
    assert list(tmp_path.iterdir()) == []


def test_verify_names_the_image_that_changed(tmp_path: Path) -> None:
    """A changed image is named, the exit code is 1, and the run cannot be recorded anew from such images."""
    place = make_place(tmp_path)
    changed = next((place / "data" / "red").iterdir())
    changed.write_bytes(changed.read_bytes() + b"x")
    ended = predict(place, "verify")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f"changed: {changed} (recorded sha256:" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "4 checked, 1 do not match."
    (place / "lineage.db").unlink()
    ended = predict(place, "record", "first")
    assert ended.returncode == 2
    assert "are not those that first was trained on; put them back." in ended.stderr


def test_a_withdrawal_is_recorded_and_shown(tmp_path: Path) -> None:
    """`withdraw` records who and why; `show` tells it, and a second withdrawal is refused."""
    place = make_place(tmp_path)
    said = must(place, "withdraw", "models/colours/1", "--why", "calls [red] things blue", "--who", "grace")
    assert "Recorded that grace withdrew colours/1." in said
    shown = must(place, "show", "models/colours/1")
    assert "version colours/1 (withdrawn)" in shown
    assert "by grace: calls [red] things blue" in shown
    assert predict(place, "withdraw", "models/colours/1", "--why", "again").returncode == 2


def test_recording_afterwards_twice_is_recording_once(tmp_path: Path) -> None:
    """`record` brings in a run, the runs before it and its versions; again it changes nothing."""
    place = make_place(tmp_path)
    must(place, "record", "second")
    with open_lineage(f"sqlite:///{place}/lineage.db") as lineage:
        (first,) = lineage.runs_with()
        assert [export.record.version for export in first.descended[0].exports] == [1]
        assert len(first.descended[0].exports[0].publications) == 1


def test_the_environment_says_where(tmp_path: Path, url: str) -> None:
    """GRAFT_LINEAGE_URL leads a command to another database, PostgreSQL too, and not to the current folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    make_version(elsewhere, make_run(elsewhere, "only"))
    done = subprocess.run(
        [sys.executable, "-m", "graft", "lineage", "record", "only"],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT), URL_VARIABLE: url},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with open_lineage(url) as lineage:
        assert [tree.run.record.id for tree in lineage.runs_with()] == ["only"]
    assert not (elsewhere / "lineage.db").exists()


def test_the_lineage_is_quick_and_light() -> None:
    """Opening a lineage that is up to date does not load Alembic, and no verb loads TensorFlow."""
    code = (
        "import sys, tempfile\nfrom lineage.store import open_lineage\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    open_lineage(f'sqlite:///{folder}/x.db').close()\n"
        "    for name in [name for name in sys.modules if name.partition('.')[0] == 'alembic']:\n"
        "        del sys.modules[name]\n"
        "    open_lineage(f'sqlite:///{folder}/x.db').close()\n"
        "heavy = {'alembic', 'numpy', 'trainer', 'exporter', 'graft', 'psycopg'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
        "import graft.actions.lineage\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize("columns", ["30", "200"])
def test_no_line_is_ever_cut(place: Path, columns: str) -> None:
    """However narrow the terminal, digests and paths are printed whole, on a terminal as in a pipe."""
    shown = on_a_terminal(place, columns, "show", "models/colours/1").replace("\r\n", "\n")
    piped = must(place, "show", "models/colours/1")
    assert shown == piped
    assert "…" not in shown
    assert f"digest {describe_version(place / 'models/colours/1').digest}" in shown
    assert f"data set {place}/data" in shown
    found = on_a_terminal(place, columns, "find", "--run", "first").replace("\r\n", "\n")
    assert found == must(place, "find", "--run", "first")
    assert f"weights {digest('weights of first')}" in found


def on_a_terminal(folder: Path, columns: str, *arguments: str) -> str:
    """Run a verb on a terminal of so many columns, and return all that it wrote there."""
    master, terminal = os.openpty()
    environment = {**os.environ, "COLUMNS": columns, "LINES": "24", "TERM": "dumb"}
    command = [sys.executable, "-m", "graft", "lineage", *arguments]
    with os.fdopen(master, "rb", buffering=0) as screen:
        process = subprocess.Popen(command, cwd=folder, stdout=terminal, env=environment)
        os.close(terminal)
        written = b""
        while chunk := _read(screen):
            written += chunk
        assert process.wait() == 0
    return written.decode()


def _read(screen: io.RawIOBase) -> bytes:
    try:
        return screen.read(4096) or b""
    except OSError:  # the terminal's last writer has ended
        return b""

"""Whatever a file, label, run, model, key or person is called, every verb prints the name as text."""

import ast
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from rich.console import Console

from exporter.check.report import Breach, CheckReport, PredictorResult
from gateway.security.api_keys import KeysFile, new_key
from gateway.security.callers import Permission
from graft.actions.bench.outputs import print_result
from graft.actions.bench.recorded import RecordedLoad, RequestFailure
from graft.actions.bench.result import BenchResult, MeasuredLoad
from graft.actions.check_table import print_report
from graft.actions.data.inspection_table import print_inspection
from graft.actions.lineage_tree import ancestry_tree, checked_lines, descendants_tree
from graft.actions.predict.outputs import print_table, written
from graft.actions.predict.requests import Outcome
from graft.errors import CommandError, one_clear_line
from graft.tables import plain_table, print_line, wide_console
from graft.traffic.measuring import Round
from lineage.results import Ancestry, Descendants, RecordedFolder, StoredExport, StoredPublication, StoredRun
from lineage.verification import Checked, Mismatch
from tests.graft.odd_strings import check_printed, odd_arguments, odd_names, raw_controls, without_colours
from tests.graft.places import Place, make_place
from tests.lineage import made_up
from tests.places import ROOT
from tests.trainer.inspection.made_up import made_up_inspection
from trainer.progress import TerminalProgress
from trainer.runs.record import RECORD

_FIRST = datetime(2026, 11, 29, tzinfo=UTC)
_EXAMPLES = settings(max_examples=15, deadline=None)


def printed_by(print_it: Callable[[], object]) -> str:
    """Return what is printed on both streams."""
    both = io.StringIO()
    with redirect_stdout(both), redirect_stderr(both):
        print_it()
    return both.getvalue()


def on_a_terminal(width: int = 400) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)


def ancestry_of(name: str) -> Ancestry:
    """Return an ancestry in which all that has a name has this one."""
    run = made_up.run().model_copy(
        update={
            "id": name,
            "folder": Path(name),
            "code_version": name,
            "environment": {name: name},
            "gates": {name: {name: name}},
            "base": made_up.base().model_copy(update={"source": name}),
            "data_set": made_up.data_set().model_copy(update={"folder": Path(name), "counts": {"train": {name: 3}}}),
        }
    )
    export = made_up.export().model_copy(update={"name": name, "folder": Path(name)})
    publication = made_up.publication().model_copy(update={"who": name, "why": name})
    withdrawal = made_up.withdrawal().model_copy(update={"who": name, "why": name})
    file = made_up.lite_file().model_copy(update={"file": Path(name), "variant": name})
    stored = StoredExport(1, _FIRST, export, (file,), (StoredPublication(1, publication, withdrawal),))
    return Ancestry(stored, (StoredRun(1, _FIRST, run),), name)


@_EXAMPLES
@given(odd_names)
@example("bolt [m8]")
@example(":star:")
@example("a\x1b[31m\n\r\t\u202e\udcff")
def test_tables_and_lines(name: str) -> None:
    """Cells, lines, notes and the titles of bars, on a terminal and in a file."""
    check_printed(printed_by(lambda: wide_console().print(plain_table((name, "b"), [(name, ("1", "2"))]))), name)
    check_printed(printed_by(lambda: print_line(wide_console(), name)), name)
    with TerminalProgress(console := on_a_terminal()) as progress:
        progress.on_work(name[:200], 3)
        progress.on_step()
        progress.on_note(f"{name} is noted")
    assert isinstance(console.file, io.StringIO)
    check_printed(without_colours(console.file.getvalue()), name)


@_EXAMPLES
@given(odd_names)
@example("x[/b].jpg")
def test_predictions(name: str) -> None:
    """`graft predict`: the image's name, its labels, and why one was refused; CSV and JSON are exact."""
    outcomes = [Outcome(name, "1", [(name, 0.5), ("other", 0.4)]), Outcome(name, code="x", detail=f"{name} is bad")]
    check_printed(printed_by(lambda: print_table(outcomes)), name)
    check_printed(written(outcomes, "table", 2), name)


@_EXAMPLES
@given(odd_names)
def test_measured_loads(name: str) -> None:
    """`graft bench`: the URL, the model, processes, images and what a service says of them."""
    load = RecordedLoad(seconds=1.0)
    load.failures[500, name] = RequestFailure(500, name, name, name, 1)
    result = BenchResult(name, "native", name, name, 1, 2, 1.0, [(name, name)], [(1, name)])
    result.loads.append(MeasuredLoad(load, 1, None, Round(load, {name: 1.0})))
    check_printed(printed_by(lambda: print_result(result)), name)


@_EXAMPLES
@given(odd_names)
def test_checks_and_inspections(name: str) -> None:
    """`graft check` and `graft data inspect`, from prepared reports."""
    breach = Breach(name, "label", 0.5, f"{name} is not {name}")
    row = PredictorResult(name, "breaks its bound", 3, 3, 0.5, name, 0.1, 0.5, 1.0, (1e-6,), 1, (breach,))
    report = CheckReport(name, 1, name, {name: 3}, (row,), (name,))
    check_printed(printed_by(lambda: print_report(report, wide_console())), name)
    check_printed(printed_by(lambda: print_inspection(made_up_inspection(name), wide_console())), name)


@_EXAMPLES
@given(odd_names)
def test_lineage(name: str) -> None:
    """`graft lineage show`, `find` and `verify`: people, reasons, folders, files and settings."""
    ancestry = ancestry_of(name)
    descendants = Descendants(ancestry.runs[0], (ancestry.export,), (Descendants(ancestry.runs[0], (), ()),))
    for tree in (ancestry_tree(ancestry), descendants_tree(descendants)):
        check_printed(printed_by(lambda: wide_console().print(tree)), name)  # noqa: B023 - it is called at once
    folder = RecordedFolder(kind="run", name=name, folder=Path(name), files={name: name}, may_be_gone=False)
    checked = Checked(folder, (Mismatch(folder, Path(name), "changed", name, name),))
    for line in checked_lines(checked):
        check_printed(printed_by(lambda: TerminalProgress().on_note(line)), "")  # noqa: B023


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with two runs, two versions and a lineage, none of which changes."""
    return make_place(tmp_path_factory.mktemp("place"))


@settings(max_examples=8, deadline=None)
@given(odd_names.filter(lambda name: not any("\ud800" <= character <= "\udfff" for character in name)))
def test_runs_and_keys(place: Place, name: str) -> None:
    """`graft runs list` and `show`, and `graft keys list`, of files that have the name wherever they may."""
    file = place.root / "runs" / "second" / RECORD
    record = json.loads(file.read_text())
    test = {"accuracy": 0.5, "images": 2, "per_class": {name: {"images": 2}}}
    changed = {"name": name, "architecture": name, "dataset_folder": name, "notes": [name], "metrics": {"test": test}}
    (renamed := place.root / "renamed" / "second").mkdir(parents=True, exist_ok=True)
    (renamed / RECORD).write_text(json.dumps(record | changed))
    check_printed(place.must("runs", "list", "--runs", "renamed"), name)
    check_printed(place.must("runs", "show", "second", "--runs", "renamed"), name)
    _, key = new_key(name[:100] or "-", [Permission.PREDICT])
    keys = place.root / "keys.json"
    keys.write_text(KeysFile(keys=(key,)).model_dump_json())
    check_printed(place.must("keys", "list"), name[:100])


@_EXAMPLES
@given(odd_names)
def test_errors(name: str) -> None:
    """An error's sentence is one line, whatever it repeats."""

    def fail() -> None:
        with pytest.raises(SystemExit), one_clear_line():
            raise CommandError(f"There is no {name}; give another.")

    printed = printed_by(fail)
    assert printed.count("\n") == 1
    check_printed(printed, name)


_ARGUMENTS: tuple[tuple[str, ...], ...] = (
    ("{}",),
    ("train", "{}", "--name", "x"),
    ("train", ".", "--name", "{}"),
    ("train", ".", "--name", "x", "--set", "{}=1"),
    ("export", "{}"),
    ("export", "latest", "--runs", "{}"),
    ("tflite", "{}", "--out", "bundle"),
    ("check", "{}"),
    ("versions", "{}"),
    ("withdraw", "{}", "--why", "x"),
    ("rollback", "{}", "--why", "x"),
    ("up", "--models", "{}"),
    ("up", "--name", "{}"),
    ("up", "--host", "{}"),
    ("check", "models/colours/1", "--gateway", "{}"),
    ("check", "models/colours/1", "--server", "{}"),
    ("lineage", "show", "models/{}/1"),
    ("lineage", "record", "{}"),
    ("gateway", "--set", "{}=1"),
    ("modelserver", "--{}=1"),
    ("settings", "{}"),
    ("runs", "show", "{}"),
    ("runs", "compare", "{}", "first"),
    ("runs", "{}"),
    ("keys", "list", "--file", "{}"),
    ("keys", "revoke", "{}"),
    ("lineage", "show", "{}"),
    ("lineage", "find", "--run", "{}"),
    ("predict", "{}*", "--url", "http://127.0.0.1:9"),
    ("predict", "photo.jpg", "--url", "{}"),
    ("bench", "{}", "photo.jpg"),
    ("bench", "http://{}", "photo.jpg"),
    ("bench", "http://127.0.0.1:9", "{}"),
    ("bench", "http://127.0.0.1:9", "photo.jpg", "--clients", "{}"),
    ("bench", "http://127.0.0.1:9", "photo.jpg", "--protocol", "tensorflow", "--model", "{}"),
    ("bench", "http://127.0.0.1:9", "photo.jpg", "--model", "{}"),
    ("predict", "photo.jpg", "--url", "http://127.0.0.1:9", "--model", "{}"),
    ("evaluate", "http://127.0.0.1:9", "data", "--model", "{}"),
    ("probe", "http://127.0.0.1:9", "--once", "--model", "{}"),
    ("data", "inspect", "{}"),
    ("data", "inspect", "data", "--out", "{}"),
)


@pytest.mark.parametrize("arguments", _ARGUMENTS, ids=" ".join)
def test_arguments(place: Place, arguments: tuple[str, ...]) -> None:
    """What was given is repeated as text, in our own sentences and in those of the command line's library."""
    (place.root / "photo.jpg").write_bytes(b"\xff\xd8\xff")

    @settings(max_examples=4, deadline=None, database=None)
    @given(odd_arguments)
    @example("x\x1b[31m[/b]:star:\n\r\t\u202e\udcff")
    @example("x\udcff")
    def repeat(name: str) -> None:
        done = place.predict(*(each.replace("{}", name) for each in arguments))
        assert done.returncode in {1, 2}
        assert raw_controls(done.stdout + done.stderr) == []
        printed = done.stderr or done.stdout  # a probe is a line on standard output
        assert len(printed.splitlines()) == 1 or printed.startswith("Usage: ")

    repeat()


@pytest.mark.parametrize("name", ["bolt [m8] :star:", "a\x1b[31m\nb\u202e", "byte \udcff"])
def test_a_reason_and_a_person(tmp_path: Path, name: str) -> None:
    """Who withdrew a version and why is recorded, and shown by `versions` and `lineage show`, or refused in a line."""
    place = make_place(tmp_path)
    done = place.predict("withdraw", "models/colours/2", "--why", name, "--who", name)
    assert raw_controls(done.stdout + done.stderr) == []
    if "\udcff" in name:
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        return
    check_printed(place.must("versions", "models/colours"), name)
    check_printed(place.must("lineage", "show", "models/colours/2"), name)


def test_nothing_is_printed_past_the_one_place() -> None:
    """`print`, `console.print` and `write` in the command line are given tables, trees, or text that was escaped."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)[:80]}"
        for folder in ("graft", "trainer/progress.py", "gateway/main.py")
        for path in ([ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py")))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _prints(node) and not any(map(_is_escaped, node.args))
    ]
    assert found == []


def _prints(call: ast.Call) -> bool:
    return ast.unparse(call.func) in {"print", "typer.echo", "sys.stdout.write", "sys.stderr.write"} or (
        isinstance(call.func, ast.Attribute) and call.func.attr == "print" and bool(call.args)
    )


def _is_escaped(argument: ast.expr) -> bool:
    """Return whether it is escaped, a table or tree of such cells, a new key, a number, or exact for a program."""
    written = ast.unparse(argument)
    escaped = ("plain_text(", "announcement(", "plain_table(", "as_text(", "_tree(", "table")
    parts = (*escaped, "json", "version('", ".decode()")
    return any(part in written for part in parts) or written in {"key", "text"} or "_TITLES[" in written

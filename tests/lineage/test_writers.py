"""Several processes at once: a new database is made once, and nothing that anybody records is lost."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from lineage.store import open_lineage
from tests.lineage.databases import new_database
from tests.places import ROOT

SECONDS = 120
RUNS = 12
DATABASES = 4

WRITE = f"""
import sys
from lineage.store import open_lineage
from tests.lineage import made_up
url, writer = sys.argv[1:]
with open_lineage(url) as lineage:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range({RUNS}):
        name = f"{{writer}}-{{number}}"
        # all writers meet the same new data set and the same new base at the same time
        lineage.record_run(made_up.run(name, data_set=made_up.data_set(f"images {{number}}"),
                                       base=made_up.base(f"base {{number % 7}}")))
        lineage.record_export(made_up.export(name, number + 1), made_up.publication(writer))
"""

OPEN_NEW = """
import sys
from lineage.database.migration import upgrade  # so that no process is late because it still loads Alembic
from lineage.store import open_lineage
print("ready", flush=True)
for url in sys.stdin:
    open_lineage(url.strip()).close()
    print("opened", flush=True)
"""

DIE_WHILE_RECORDING = """
import os, signal, sys, threading
from lineage.store import open_lineage
from tests.lineage import made_up
with open_lineage(sys.argv[1]) as lineage:
    print("ready", flush=True)
    threading.Thread(target=lambda: (sys.stdin.readline(), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()
    number = 0
    while True:
        lineage.record_run(made_up.run(f"doomed-{number}", data_set=made_up.data_set(f"images {number}")))
        number += 1
        print(number, flush=True)
"""


def start(stack: ExitStack, code: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *arguments]
    pipe = subprocess.PIPE
    process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT))
    stack.callback(process.kill)
    return process


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def say(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def test_two_trainers_at_once_lose_nothing(url: str) -> None:
    """Two processes that record as fast as they can lose nothing, and share the rows of what is equal."""
    with ExitStack() as stack:
        writers = [start(stack, WRITE, url, name) for name in ("ada", "grace")]
        assert [heard(writer) for writer in writers] == ["ready", "ready"]
        for writer in writers:
            say(writer, "go")
        assert [writer.wait(SECONDS) for writer in writers] == [0, 0]
    with open_lineage(url) as lineage:
        found = lineage.runs_with()
        assert {tree.run.record.id for tree in found} == {
            f"{writer}-{number}" for writer in ("ada", "grace") for number in range(RUNS)
        }
        assert all(len(tree.exports) == 1 and len(tree.exports[0].publications) == 1 for tree in found)
        listings = [folder for folder in lineage.everything_on_disk() if folder.kind == "data set"]
        assert len(listings) == RUNS
        assert all(len(folder.files) == 5 for folder in listings)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_database_is_made_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Two processes that open a database in which nothing is yet both succeed, time after time."""
    with ExitStack() as stack:
        processes = [start(stack, OPEN_NEW) for _ in range(2)]
        assert [heard(process) for process in processes] == ["ready", "ready"]
        for number in range(DATABASES):
            (tmp_path / str(number)).mkdir()
            url = new_database(request, kind, tmp_path / str(number))
            for process in processes:
                say(process, url)
            assert [heard(process) for process in processes] == ["opened", "opened"]


def test_a_killed_trainer_leaves_nothing_half_recorded(url: str) -> None:
    """After kill -9 in the middle, what was reported as recorded is there, whole, and the next one can write."""
    with ExitStack() as stack:
        doomed = start(stack, DIE_WHILE_RECORDING, url)
        assert heard(doomed) == "ready"
        reported = int(heard(doomed))
        say(doomed, "die")
        assert doomed.stdout is not None
        reported = max([reported, *(int(line) for line in doomed.stdout)])
        assert doomed.wait(SECONDS) == -9
    with open_lineage(url) as lineage:
        found = lineage.runs_with()
        assert reported <= len(found) <= reported + 1
        listings = [folder for folder in lineage.everything_on_disk() if folder.kind == "data set"]
        assert [len(folder.files) for folder in listings] == [5] * len(found)

"""What can go wrong with a database is one sentence, soon, without a password."""

import os
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import LineageAddressError, LineageError, LineageUnreadableError, NotRecordedError
from lineage.store import open_lineage
from tests.lineage import made_up
from tests.lineage.databases import PostgresqlServer
from tests.places import ROOT
from tests.tiny_disk import fill, tiny_disk

PASSWORD = "tr0ub4dor"

OPEN = """
import sys
from lineage.errors import LineageError
from lineage.store import open_lineage
try:
    open_lineage(sys.argv[1])
except LineageError as error:
    print(type(error).__name__, error)
"""


def sentence(url: str) -> str:
    with pytest.raises(LineageError) as refused:
        open_lineage(url)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers, as behind a firewall."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    """A refused connection says so within seconds, names the server, and never the password."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = time.monotonic()
    said = sentence(f"postgresql://ada:{PASSWORD}@127.0.0.1:{port}/lineage")
    assert time.monotonic() - started < 30
    assert said.startswith(f"The lineage at 127.0.0.1:{port}/lineage cannot be used (")
    assert said.endswith("; see that the server is up, and that GRAFT_LINEAGE_URL is right.")
    assert "efused" in said
    assert PASSWORD not in said


def test_a_server_that_never_answers_is_given_up(silent_port: int) -> None:
    """A server that takes the connection and says nothing is given up after seconds, not minutes."""
    started = time.monotonic()
    said = sentence(f"postgresql://ada:{PASSWORD}@127.0.0.1:{silent_port}/lineage")
    assert time.monotonic() - started < 60
    assert "timeout" in said
    assert PASSWORD not in said


def test_a_database_that_is_not_there_is_one_sentence(postgresql: PostgresqlServer) -> None:
    """A server without this database says which one is missing."""
    url = f"postgresql://graft@/nowhere?host={postgresql.folder}"
    assert 'database "nowhere" does not exist' in sentence(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            f"mysql://ada:{PASSWORD}@host/db",
            "Lineage is stored in SQLite or PostgreSQL, not in mysql; give sqlite:///FILE",
        ),
        (f"postgresql+psycopg2://ada:{PASSWORD}@host/db", "not in postgresql+psycopg2; give"),
        ("lineage.db", "The address of the lineage cannot be read; give sqlite:///FILE or postgresql://"),
        (f"postgresql://ada:{PASSWORD}@host:port/db", "The address of the lineage cannot be read; give"),
        (f"postgresql://ada:x@{PASSWORD}@host/db", "has an @; write it as %40"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    """What is no address, or one of another kind of database, is refused without repeating what may be secret."""
    with pytest.raises(LineageAddressError) as refused:
        open_lineage(url)
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_file_that_is_no_lineage_is_left_alone(tmp_path: Path) -> None:
    """A file of another kind is refused, and not changed."""
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, and they are long enough to be taken for a database's first page." * 20)
    before = file.read_bytes()
    assert "file is not a database" in sentence(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_folder_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    """A file in a folder that is not there is refused, with what to look for."""
    said = sentence(f"sqlite:///{tmp_path}/nowhere/lineage.db")
    assert f"{tmp_path}/nowhere/lineage.db cannot be used (unable to open database file); see that its folder" in said


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A folder that cannot be written is refused in one sentence; to root, such a folder is one of the kernel's."""
    tmp_path.chmod(0o500)
    folder = tmp_path if os.getuid() else Path("/proc/self")
    said = sentence(f"sqlite:///{folder}/lineage.db")
    assert f"{folder}/lineage.db cannot be used (unable to open database file); see that its folder exists, " in said


def test_a_lineage_that_may_only_be_read_can_be_read(tmp_path: Path) -> None:
    """A file that nobody may write still answers; recording in it is refused in one sentence."""
    file = tmp_path / "lineage.db"
    with open_lineage(f"sqlite:///{file}") as lineage:
        lineage.record_run(made_up.run())
    with open_lineage(f"sqlite:///file:{file}?mode=ro&uri=true") as lineage:
        assert len(lineage.runs_with()) == 1
        with pytest.raises(LineageUnreadableError, match="attempt to write a readonly database"):
            lineage.record_run(made_up.run("another"))


def test_a_lineage_that_is_locked_for_long_is_one_sentence(tmp_path: Path) -> None:
    """A file that another program never lets go of is one sentence, and once it does, all is well."""
    file = tmp_path / "lineage.db"
    with open_lineage(f"sqlite:///{file}?timeout=0.2") as lineage:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LineageUnreadableError, match="database is locked"):
            lineage.record_run(made_up.run())
        holder.execute("ROLLBACK")
        holder.close()
        lineage.record_run(made_up.run())


def test_asking_makes_no_file(tmp_path: Path) -> None:
    """A question to a lineage that does not exist leaves no empty one behind."""
    with pytest.raises(
        NotRecordedError, match=r"^There is no lineage at .*; change to the folder of the training, or set"
    ):
        open_lineage(f"sqlite:///{tmp_path}/lineage.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    """An installation without psycopg says how to get it; this one has all packages but that."""
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith("psycopg"):
            (tmp_path / package.name).symlink_to(package)
    done = subprocess.run(
        [sys.executable, "-S", "-c", OPEN, "postgresql://ada@host/lineage"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert done.stdout.strip() == (
        "LineageUnreadableError Lineage in PostgreSQL needs the package psycopg: "
        "pip install 'graft-serving[postgresql]'."
    )


def test_a_full_disk_is_said_with_its_folder(tmp_path: Path) -> None:
    """A lineage that cannot grow says which disk is full; what it has is not lost."""
    with tiny_disk(tmp_path / "disk", 400_000) as folder:
        with open_lineage(f"sqlite:///{folder}/lineage.db") as lineage:
            lineage.record_run(made_up.run("before"))
            fill(folder)
            more = [lineage.record_run] * 20  # until the pages that the file has are used
            with pytest.raises(LineageUnreadableError) as caught:
                [record(made_up.run(f"r{number}")) for number, record in enumerate(more)]
            assert f"the disk of {folder} is full, 0.0 MB free: make room." in str(caught.value)
        (folder / "filler").unlink()
        with open_lineage(f"sqlite:///{folder}/lineage.db") as lineage:
            assert [found.run.record.id for found in lineage.runs_with(run="before")] == ["before"]

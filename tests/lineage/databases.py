"""Databases for tests: SQLite files, and a real PostgreSQL server where one is installed."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text

_SECONDS = 60
_USER = "graft"


@dataclass
class PostgresqlServer:
    """A running server, reached through a socket in `folder` alone; it makes databases as they are asked for.

    They are schemas of one database: a database of its own is three hundred files each.
    """

    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_database(self) -> str:
        """Return the address of a place in which nothing is yet."""
        schema = f"lineage_{next(self._numbers)}"
        address = URL.create("postgresql+psycopg", _USER, database="postgres", query={"host": str(self.folder)})
        engine = create_engine(address)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        engine.dispose()
        return address.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string()


def new_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """Return the address of a database in which nothing is yet; an SQLite file is in `folder`."""
    if kind == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        return server.new_database()
    return f"sqlite:///{folder}/lineage.db"


@contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    """Run a server with its data in a new folder while the `with` lasts; skip where none is installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (initdb and postgres)")
    user = _unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="graft-postgresql-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        _make_cluster(programs / "initdb", folder, user)
        settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "full_page_writes=off"]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), *(f"--{setting}" for setting in settings)]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, user=user) as process:
            try:
                _wait_until_ready(process, folder)
                yield PostgresqlServer(folder)
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nobody will read the data again
                process.wait(_SECONDS)


def _programs() -> Path | None:
    """Return the folder of the newest server's programs."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders = on_path + sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _unprivileged_user() -> str | None:
    """Return whom to run the server as; None for ourselves, as PostgreSQL refuses root alone."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    found = next((name for name in ("postgres", "nobody") if name in names), None)
    return found or pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _make_cluster(initdb: Path, folder: Path, user: str | None) -> None:
    options = ["--auth=trust", f"--username={_USER}", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    options += ["--wal-segsize=1"]  # megabytes
    done = subprocess.run(
        [initdb, "-D", folder / "data", *options], capture_output=True, text=True, user=user, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    state = folder / "data" / "postmaster.pid"
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)

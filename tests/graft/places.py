"""A folder with runs, versions and a lineage, and the command run in it."""

import contextlib
import io
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.versions import published_versions
from graft.cli import app
from graft.errors import one_clear_line
from lineage.database.location import URL_VARIABLE
from lineage.store import Lineage, open_lineage
from tests.lineage.made_up_folders import make_run, make_version


@dataclass(frozen=True)
class Ended:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Place:
    """A folder that a person works in, with versions of the model colours under `models`."""

    root: Path

    @property
    def base_path(self) -> Path:
        """The model's folder."""
        return self.root / "models" / "colours"

    def published(self) -> list[int]:
        """Return the numbers that a server sees."""
        return published_versions(self.base_path)

    def lineage(self) -> Lineage:
        """Open the lineage of the place."""
        return open_lineage(f"sqlite:///{self.root}/lineage.db")

    def predict(self, *arguments: str) -> Ended:
        """Run a verb here, in this process: starting one takes longer than any verb."""
        if URL_VARIABLE in os.environ:
            pytest.skip(f"{URL_VARIABLE} is set, and tests must not write there")
        out, err = io.StringIO(), io.StringIO()
        printed = redirect_stdout(out), redirect_stderr(err)
        with contextlib.chdir(self.root), printed[0], printed[1], pytest.raises(SystemExit) as ended, one_clear_line():
            app(list(arguments))
        return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def must(self, *arguments: str) -> str:
        """Run a verb that must succeed, and return its standard output."""
        done = self.predict(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Run a verb that must refuse its input in one line, and return the line."""
        done = self.predict(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        return done.stderr.strip()


def make_place(root: Path, *, recorded: bool = True) -> Place:
    """Make versions 1 and 2 of the model, of two runs, with or without a lineage that knows them."""
    place = Place(root)
    for number, run_id in enumerate(("first", "second"), start=1):
        make_version(root, make_run(root, run_id), number)
        if recorded:
            place.must("lineage", "record", run_id)
    return place

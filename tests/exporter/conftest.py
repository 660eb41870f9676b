"""Two exports of one run, made once and looked at by many tests."""

import functools
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.export import Exported, ExportOptions, export
from exporter.proof.pixels import OwnDecoder
from modelserver.engines.pixels.proof import RULES, digests_for
from tests.exporter.runs import small_run
from tests.sharing import made_once
from trainer.progress import Progress
from trainer.runs.trained_model import Run

OWN_DECODER = OwnDecoder(RULES, digests_for)
"""What `graft export` compares with."""


class Counting(Progress):
    """Counts the steps that were announced and those that were done."""

    def __init__(self) -> None:
        self.announced = 0
        self.done = 0

    def on_work(self, title: str, steps: int) -> None:
        """Count what is announced."""
        self.announced += steps

    def on_step(self, steps: int = 1) -> None:
        """Count what is done."""
        self.done += steps


@dataclass(frozen=True)
class Publication:
    """A run and its export."""

    run: Run
    models: Path
    exported: Exported
    heard: Counting

    @property
    def folder(self) -> Path:
        """The published version."""
        return self.exported.folder


@pytest.fixture(scope="session")
def first(shared_folder: Path) -> Publication:
    """The first version of a run."""
    return made_once(shared_folder / "first-export", _export_first)


def _export_first(folder: Path) -> Publication:
    run, heard = small_run(folder), Counting()
    return Publication(run, folder / "models", export(run, folder / "models", heard, own_decoder=OWN_DECODER), heard)


@pytest.fixture(scope="session")
def second(first: Publication, shared_folder: Path) -> Publication:
    """The second version of the same run."""
    return made_once(shared_folder / "second-export", functools.partial(_export_second, first))


def _export_second(first: Publication, _: Path) -> Publication:
    heard = Counting()
    again = ExportOptions(again=True)
    return Publication(
        first.run, first.models, export(first.run, first.models, heard, again, own_decoder=OWN_DECODER), heard
    )

"""The verb `data inspect`: what a folder holds, on the console, as JSON, and as a contact sheet."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from contract.image_input import ImageInput
from contract.storage.whole_file import write_whole
from graft.actions.data.inspection_table import print_inspection
from graft.errors import CommandError
from graft.tables import print_line, wide_console
from trainer.config import TrainingConfig, parse_assignment, read_config
from trainer.inspection.folder import inspect_folder
from trainer.inspection.results import FolderInspection
from trainer.models.architectures import image_input_of, spec_of
from trainer.models.defaults import fill_in
from trainer.progress import TerminalProgress

_USUAL_SIZE = 224
_SHEET, _JSON = ".html", ".json"


@dataclass(frozen=True)
class InspectionRequest:
    """What the command line asks for; `given`, by dotted name, and `assignments` override the settings in `config`."""

    folder: Path
    as_json: bool = False
    out: Path | None = None
    config: Path | None = None
    given: dict[str, Any] | None = None
    assignments: Sequence[str] = ()

    def settings(self) -> TrainingConfig:
        """Return the settings of the training that is meant.

        Raises:
            ConfigurationError: a setting is unknown or does not fit.
        """
        return read_config(self.config, {**(self.given or {}), **dict(map(parse_assignment, self.assignments))})


def run_inspection(request: InspectionRequest) -> bool:
    """Inspect, print and write what was found, and return whether training would accept the folder.

    Raises:
        CommandError: there is no such folder, or the result cannot be written where it should.
        ConfigurationError: a setting cannot be used.
    """
    config = request.settings()
    _check_folder(request.folder)
    if request.out:
        _check_writable(request.out, request.folder)
    with TerminalProgress(Console(stderr=True, highlight=False)) as progress:
        found = inspect_folder(request.folder, config, _image_input(config), progress)
        if request.out:
            progress.on_work(f"writing {request.out}", 1)
            _write(request.out, found, request.folder)
    if request.as_json:
        sys.stdout.write(as_json(found))
    else:
        console = wide_console()
        print_inspection(found, console)
        if request.out:
            print_line(console, f"Wrote {request.out}")
    return found.accepted


def as_json(found: FolderInspection) -> str:
    """Return everything that was found as JSON in ASCII: names of files may have bytes that are not UTF-8."""
    return json.dumps(asdict(found), indent=2) + "\n"


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise CommandError(f"{folder} {what}; give a folder with one sub-folder of images per class.")


def _check_writable(out: Path, folder: Path) -> None:
    if out.suffix.lower() not in {_SHEET, _JSON}:
        raise CommandError(f"--out takes a file that ends in {_SHEET} or {_JSON}; {out} was given.")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise CommandError(f"The result cannot be written to {out}: --out takes a file in a folder that is yours.")
    if out.parent.resolve().is_relative_to(folder.resolve()):
        raise CommandError(f"{out} is in the folder that is inspected, where nothing is written; give another --out.")


def _image_input(config: TrainingConfig) -> ImageInput:
    """Return how images are decoded; a preset's own size, which only KerasHub knows, is taken as the usual one."""
    if spec_of(config.model.architecture) is None and config.model.image_size is None:
        model = config.model.model_copy(update={"image_size": _USUAL_SIZE})
        return image_input_of(model)
    return image_input_of(fill_in(config).model)


def _write(out: Path, found: FolderInspection, folder: Path) -> None:
    if out.suffix.lower() == _JSON:
        text = as_json(found)
    else:
        from trainer.inspection.sheet import render_sheet

        text = render_sheet(found, folder)
    write_whole(out, text)

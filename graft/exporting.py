"""The verb `export`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.errors import LineageError, NotRecordedError
from lineage.location import lineage_url
from lineage.store import Lineage, open_lineage
from trainer.progress import Progress, TerminalProgress
from trainer.run_record import find_run

if TYPE_CHECKING:
    from exporter.export import Exported


def run_export(name: str, models: Path, runs: Path) -> None:
    """Export a run and say what was proved.

    Raises:
        RunNotFoundError: there is no such run.
        ExportError: the model cannot be exported, or does not answer as the trained one.
    """
    folder = find_run(name, runs)
    with open_lineage(lineage_url(os.environ, Path.cwd())) as lineage, TerminalProgress() as progress:
        progress.on_work("starting TensorFlow", 1)
        from exporter.export import export  # takes seconds, during which something should be seen
        from trainer.trained_model import read_run

        run = read_run(folder)
        exported = export(run, models, progress)
        for comparison in exported.comparisons:
            progress.on_note(
                f"  {comparison.signature:<16} loaded {comparison.loaded:<27} {comparison.pictures} pictures, "
                f"largest difference {comparison.largest_difference:.1e}"
            )
        progress.on_note(f"Published {exported.folder}\nNext: graft up --models {models} --name {run.record.name}")
        _record(exported, lineage, progress)


def _record(exported: "Exported", lineage: Lineage, progress: Progress) -> None:
    from exporter.lineage_entry import record_export

    later = f"graft lineage record {exported.manifest.run} records it later."
    try:
        record_export(lineage, exported)
    except NotRecordedError:
        progress.on_note(f"Its run is not in this lineage, so the version is not either: {later}")
    except LineageError as error:
        raise type(error)(f"{error} The version is published: {later}") from error

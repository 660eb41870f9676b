"""The verb `export`."""

from pathlib import Path

from trainer.progress import TerminalProgress


def run_export(name: str, models: Path, runs: Path) -> None:
    """Export a run and say what was proved.

    Raises:
        RunNotFoundError: there is no such run.
        ExportError: the model cannot be exported, or does not answer as the trained one.
    """
    with TerminalProgress() as progress:
        progress.on_work("starting TensorFlow", 1)
        from exporter.export import export  # takes seconds, during which something should be seen
        from trainer.trained_model import find_run, read_run

        run = read_run(find_run(name, runs))
        exported = export(run, models, progress)
        for comparison in exported.comparisons:
            progress.on_note(
                f"  {comparison.signature:<16} loaded {comparison.loaded:<27} {comparison.pictures} pictures, "
                f"largest difference {comparison.largest_difference:.1e}"
            )
        progress.on_note(f"Published {exported.folder}\nNext: graft up --models {models} --name {run.record.name}")

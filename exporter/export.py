"""From a trained run to a published version: the story."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ModelManifest
from contract.versions import FIXTURES, WARMUP, next_version, staged_folder
from exporter.fixtures import choose_fixtures, write_fixtures
from exporter.fresh_process import in_fresh_process
from exporter.parity import Comparison, ask_trained_model, compare
from exporter.publication import make_manifest, publish_version, write_blessing, write_manifest
from exporter.saved_model import Written, ask_as_python_loads, ask_as_serving_loads, write_saved_model
from exporter.warmup import write_warmup
from trainer.progress import Progress
from trainer.trained_model import Run

_STEPS = (
    "write",
    "ask the trained model",
    "ask it loaded by Python",
    "ask it loaded as TensorFlow Serving does",
)


@dataclass(frozen=True)
class Exported:
    """A published version, and the comparisons that it passed."""

    folder: Path
    manifest: ModelManifest
    comparisons: list[Comparison]


def export(
    run: Run,
    models: Path,
    progress: Progress,
    write: Callable[[Path, Path], Written] = write_saved_model,
) -> Exported:
    """Write, prove and publish the run's model as the next version under `models / name`.

    `write` makes the SavedModel of a run's folder, in a fresh process.

    Raises:
        FixtureError: the test pictures cannot be had.
        ParityError: the written model does not answer as the trained one; nothing becomes visible.
    """
    base_path = models / run.record.name
    progress.on_work(f"exporting {run.record.id}", len(_STEPS))
    fixtures = choose_fixtures(run.record.test_pictures)
    with staged_folder(base_path) as staged:
        with in_fresh_process(write, run.folder, staged) as writing:
            reference = ask_trained_model(run, fixtures)
            progress.on_step()
            written = writing.result()
            progress.on_step()
        write_fixtures(staged / FIXTURES, reference.fixtures, reference.answers)
        write_warmup(staged / WARMUP, run.record.name, reference.fixtures[0].content)
        manifest = make_manifest(run, staged, next_version(base_path), written.signatures)
        text = write_manifest(staged, manifest)
        with in_fresh_process(ask_as_serving_loads, staged, reference.questions()) as asking:
            by_python = ask_as_python_loads(staged, reference.questions())
            comparisons = compare("by Python", by_python, reference, text)
            progress.on_step()
            comparisons += compare("as TensorFlow Serving does", asking.result(), reference, text)
            progress.on_step()
        write_blessing(staged, comparisons)
        manifest = publish_version(base_path, staged, manifest)
    return Exported(base_path / str(manifest.version), manifest, comparisons)

"""From a trained run to a published version: the story."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.blessing import Blessing
from contract.image_input import ImageInput
from contract.manifest import ModelManifest
from contract.publish import publish_version
from contract.versions import FIXTURES, WARMUP, next_version, staged_folder
from exporter.manifest_writing import make_blessing, make_manifest, write_blessing, write_manifest
from exporter.proof.baseline_comparison import compare_with_baseline, find_baseline, note_on_seen_images
from exporter.proof.expectations import GIVEN, check_expectations, expectations_of, write_expectations
from exporter.proof.fixtures import choose_fixtures, write_fixtures
from exporter.proof.parity import Comparison, Reference, ask_trained_model, compare
from exporter.saved_model.fresh_process import fresh_process
from exporter.saved_model.operations import check_operations
from exporter.saved_model.warmup import write_warmup
from exporter.saved_model.writer import LoadedVersion, Outputs, Written, ask_as_serving_loads, write_saved_model
from exporter.tflite.litert_network import NetworkVerdict, judge_network, write_litert_network
from trainer.progress import Progress
from trainer.runs.record import RunRecord
from trainer.runs.trained_model import Run

_STEPS = (
    "write",
    "ask the trained model",
    "convert it for LiteRT",
    "ask it loaded by Python",
    "ask it loaded as TensorFlow Serving does",
)


@dataclass(frozen=True)
class ExportOptions:
    """What the person who exports decides.

    `max_pixels` of a picture are decoded, or as many as the run says. `fold` BatchNorm into convolutions, or leave the
    network as it was trained. `given_fixtures` is a folder with `expected.csv`; `accept_change` is the reason why one
    that does not hold is given up. `better_than` is the version (a number, or `latest`) that must not be better.
    """

    max_pixels: int | None = None
    fold: bool = True
    given_fixtures: Path | None = None
    accept_change: str | None = None
    better_than: str | None = None

    def image_input(self, record: RunRecord) -> ImageInput:
        """Return what the version expects of a picture."""
        limit = {"max_pixels": self.max_pixels} if self.max_pixels else {}
        return record.image_input.model_copy(update=limit)


DEFAULTS = ExportOptions()


@dataclass(frozen=True)
class Exported:
    """A published version, and what it passed."""

    folder: Path
    manifest: ModelManifest
    comparisons: Sequence[Comparison]
    blessing: Blessing = field(repr=False)


def export(
    run: Run,
    models: Path,
    progress: Progress,
    options: ExportOptions = DEFAULTS,
    write: Callable[..., Written] = write_saved_model,
) -> Exported:
    """Write, prove and publish the run's model as the next version under `models / name`.

    `write` makes the SavedModel of a run's folder, in a fresh process: see `write_saved_model`.

    Raises:
        ContractError: there is no such version as it must be better than.
        FixtureError: the test pictures, or the given ones, cannot be had.
        OperationError: TensorFlow Serving could not run it; nothing becomes visible.
        ParityError: the written model does not answer as the trained one.
        ExpectationError: a picture is not answered as its users expect.
        RegressionError: it is worse than the version that it must be better than.
    """
    base_path, image_input = models / run.record.name, options.image_input(run.record)
    baseline = find_baseline(base_path, options.better_than) if options.better_than else None
    progress.on_work(f"exporting {run.record.id}", len(_STEPS))
    fixtures = choose_fixtures(run.record.test_pictures)
    expectations = expectations_of(base_path, options.given_fixtures, may_replace=options.accept_change is not None)
    with staged_folder(base_path) as staged, fresh_process() as writer:
        writing = writer.submit(write, run.folder, staged, image_input, fold=options.fold)
        reference = ask_trained_model(run, image_input, fixtures)
        progress.on_step()
        written = writing.result()
        progress.on_step()
        check_operations(staged)
        converting = writer.submit(write_litert_network, staged, written.served_graph)  # where TensorFlow runs already
        with fresh_process() as asker:
            write_fixtures(staged / FIXTURES, reference.fixtures, reference.answers)
            write_warmup(staged / WARMUP, run.record.name, reference.fixtures[0].content)
            version = LoadedVersion(staged)
            held, changes = check_expectations(expectations, run.record.labels, version.answer, options.accept_change)
            write_expectations(staged / GIVEN, held)
            network = judge_network(converting, staged, reference)
            writer.shutdown(wait=False)  # it may hold gigabytes
            progress.on_step()
            manifest = make_manifest(run, staged, next_version(base_path), image_input, written)
            text = write_manifest(staged, manifest)
            asking = asker.submit(ask_as_serving_loads, staged, reference.questions())
            comparisons = _compare_both_ways(version, asking, reference, text, progress)
        comparisons += _tell_of_network(network, progress)
        facts: dict[str, Any] = {"expectations_held": len(held), "accepted_changes": tuple(changes)}
        if baseline:
            if note := note_on_seen_images(baseline, run.record.dataset_digest):
                progress.on_note(note)
            paired = compare_with_baseline(baseline, version, run.record.test_pictures, progress)
            facts["better_than"] = {"version": int(baseline.name), **paired.to_json()}
        blessing = make_blessing(comparisons, without_litert=network.reason, **facts)
        write_blessing(staged, blessing)
        manifest = publish_version(base_path, staged, manifest)
    return Exported(base_path / str(manifest.version), manifest, comparisons, blessing)


def _compare_both_ways(
    version: LoadedVersion, asking: "Future[Outputs]", reference: Reference, manifest: str, progress: Progress
) -> list[Comparison]:
    by_python = version.ask(reference.questions())
    comparisons = compare("by Python", by_python, reference, manifest)
    progress.on_step()
    comparisons += compare("as TensorFlow Serving does", asking.result(), reference, manifest)
    progress.on_step()
    return comparisons


def _tell_of_network(network: NetworkVerdict, progress: Progress) -> list[Comparison]:
    if network.comparison:
        return [network.comparison]
    progress.on_note(f"This version has no LiteRT network, and servers run it with TensorFlow: {network.reason}")
    return []

"""From a trained run to a published version: write, prove, publish. The story."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contract.blessing import Blessing
from contract.image_input import ImageInput
from contract.manifest import ModelManifest
from contract.publish import publish_version, version_with_digest
from contract.storage.unwritable import too_little_room
from contract.versions import FIXTURES, WARMUP, next_version, published_place, staged_folder
from exporter.errors import NoRoomError, UnchangedError
from exporter.manifest_writing import make_blessing, make_manifest, write_blessing, write_manifest
from exporter.proof.baseline_comparison import compare_with_baseline, find_baseline, note_on_seen_images
from exporter.proof.expectations import GIVEN, Expectation, check_expectations, expectations_of, write_expectations
from exporter.proof.fixtures import Fixture, choose_fixtures, write_fixtures
from exporter.proof.parity import Comparison, Reference, compare, predict_trained_model, with_one_thread
from exporter.proof.pixels import OwnDecoder, prove_pixels
from exporter.proof.rounding import Probabilities, predict_on_one_thread
from exporter.saved_model.fresh_process import fresh_process
from exporter.saved_model.loading import LoadedVersion, run_as_serving_loads
from exporter.saved_model.operations import Target, check_operations, serving_target
from exporter.saved_model.warmup import write_warmup
from exporter.saved_model.writer import Written, write_saved_model
from exporter.tflite.litert_network import LARGEST_GRAPH_BYTES, NetworkVerdict, judge_network, write_litert_network
from trainer.progress import Progress
from trainer.runs.record import MODEL, RunRecord
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

    `max_pixels` of an image are decoded, or as many as the run says. `fold` BatchNorm into convolutions, or leave the
    network as it was trained. `given_fixtures` is a folder with `expected.csv`; `accept_change` is the reason why one
    that does not hold is given up. `better_than` is the version (a number, or `latest`) that must not be better.
    `target` is the server that may be asked about the version's images. `again` publishes what is published already.
    With `heatmap` the version says where in an image its prediction comes from.
    """

    max_pixels: int | None = None
    fold: bool = True
    given_fixtures: Path | None = None
    accept_change: str | None = None
    better_than: str | None = None
    target: Target = "tensorflow-serving"
    again: bool = False
    heatmap: bool = False

    def image_input(self, record: RunRecord) -> ImageInput:
        """Return what the version expects of an image."""
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


@dataclass(frozen=True)
class _Plan:
    """What is known before anything is written."""

    run: Run
    base_path: Path
    image_input: ImageInput
    options: ExportOptions
    baseline: Path | None
    fixtures: Sequence[Fixture]
    expectations: Sequence[Expectation]
    progress: Progress
    own_decoder: OwnDecoder | None


@dataclass(frozen=True)
class _Draft:
    """A written SavedModel that is not proved yet, and what the trained model predicts, which it must predict too.

    `on_one_thread` are the trained model's probabilities on one thread, by which its rounding noise is measured.
    """

    folder: Path
    written: Written
    reference: Reference
    on_one_thread: "Future[Probabilities]"


def export(
    run: Run,
    models: Path,
    progress: Progress,
    options: ExportOptions = DEFAULTS,
    write: Callable[..., Written] = write_saved_model,
    own_decoder: OwnDecoder | None = None,
) -> Exported:
    """Write, prove and publish the run's model as the next version under `models / name`.

    `write` makes the SavedModel of a run's folder, in a fresh process: see `write_saved_model`. Servers decode with
    `own_decoder` if it is proved here to make the same pixels.

    Raises:
        ContractError: the version that it must be better than does not exist.
        FixtureError: the test images, or the given ones, cannot be had.
        NoRoomError: the disk has less room than the version will take.
        OperationError, ParityError: the written model cannot be served, or does not answer as the trained one.
        ExpectationError: an image is not answered as its users expect.
        RegressionError, UnchangedError: it is worse than the version that it must be better than, or nothing new.
    """
    plan = _plan(run, models / run.record.name, options, progress, own_decoder)
    with staged_folder(plan.base_path) as staged, fresh_process(threads=1) as writer:
        draft = _write(plan, staged, writer, write)
        converting = writer.submit(write_litert_network, staged, draft.written.served_graph)  # it has TensorFlow
        with fresh_process() as loader:
            version = LoadedVersion(staged)
            facts = _write_fixtures(plan, draft, version)
            draft = _with_noise(draft)
            network = judge_network(converting, staged, draft.reference)
            writer.shutdown(wait=False)  # it may hold gigabytes
            progress.on_step()
            manifest = _new_manifest(plan, draft, version)
            comparisons = _compare_both_ways(draft, version, write_manifest(staged, manifest), loader, progress)
        comparisons += _report_network(network, progress)
        facts |= _compare_with_baseline(plan, version)
        blessing = make_blessing(comparisons, draft.reference, without_litert=network.reason, **facts)
        write_blessing(staged, blessing)
        manifest = publish_version(plan.base_path, staged, manifest)
    return Exported(plan.base_path / str(manifest.version), manifest, comparisons, blessing)


def _plan(
    run: Run, base_path: Path, options: ExportOptions, progress: Progress, own_decoder: OwnDecoder | None
) -> _Plan:
    """Find everything that the export needs, so that what is missing is told before anything is written."""
    _check_room(run, base_path)
    baseline = find_baseline(base_path, options.better_than) if options.better_than else None
    progress.on_work(f"exporting {run.record.id}", len(_STEPS))
    return _Plan(
        run=run,
        base_path=base_path,
        image_input=options.image_input(run.record),
        options=options,
        baseline=baseline,
        fixtures=choose_fixtures(run.record.held_out_images),
        expectations=expectations_of(base_path, options.given_fixtures, may_replace=options.accept_change is not None),
        progress=progress,
        own_decoder=own_decoder,
    )


def _check_room(run: Run, base_path: Path) -> None:
    weights = (run.folder / MODEL).stat().st_size
    needed = weights if weights > LARGEST_GRAPH_BYTES else 2 * weights  # the SavedModel, and the network for LiteRT
    if short := too_little_room(base_path, needed):
        raise NoRoomError(f"{short} for the version; nothing was published: make room, or give another --models.")


def _write(plan: _Plan, staged: Path, writer: Executor, write: Callable[..., Written]) -> _Draft:
    """Write the SavedModel in the process `writer`, while this one asks the trained model about the fixtures."""
    more = {"heatmap": True} if plan.options.heatmap else {}
    writing = writer.submit(write, plan.run.folder, staged, plan.image_input, fold=plan.options.fold, **more)
    reference = predict_trained_model(plan.run, plan.image_input, plan.fixtures)
    plan.progress.on_step()
    written = writing.result()
    plan.progress.on_step()
    check_operations(staged)
    on_one_thread = writer.submit(predict_on_one_thread, plan.run.folder, plan.image_input, reference.pixels)
    return _Draft(staged, written, reference, on_one_thread)


def _with_noise(draft: _Draft) -> _Draft:
    """Return the draft with all of the reference's noise measured, except where one thread's memory was not enough."""
    try:
        probabilities = draft.on_one_thread.result()
    except BrokenProcessPool:
        probabilities = None
    return replace(draft, reference=with_one_thread(draft.reference, probabilities))


def _write_fixtures(plan: _Plan, draft: _Draft, version: LoadedVersion) -> dict[str, Any]:
    """Write fixtures, warmup file and what users expect, and return what the blessing says of their expectations."""
    staged, record = draft.folder, plan.run.record
    write_fixtures(staged / FIXTURES, draft.reference.fixtures, draft.reference.predictions)
    write_warmup(staged / WARMUP, record.name, draft.reference.fixtures[0].content)
    accept_change = plan.options.accept_change
    held, changes = check_expectations(plan.expectations, record.labels, version.predict, accept_change)
    write_expectations(staged / GIVEN, held)
    return {"expectations_held": len(held), "accepted_changes": tuple(changes)}


def _new_manifest(plan: _Plan, draft: _Draft, version: LoadedVersion) -> ModelManifest:
    """Describe the draft as the next version, with what was seen of its pixels; refuse one that is nothing new."""
    target = serving_target(plan.options.target)
    number = next_version(plan.base_path)
    manifest = make_manifest(plan.run, draft.folder, number, plan.image_input, draft.written, target)
    _check_changed(plan, manifest)
    images = plan.run.record.held_out_images
    pixels = prove_pixels(plan.own_decoder, plan.image_input, version, draft.reference, images)
    if pixels and pixels.different:
        plan.progress.on_note(
            f"Servers need TensorFlow to decode images for this version: without it {pixels.different} of "
            f"{pixels.images} images had other pixels."
        )
    return manifest.model_copy(update={"pixels": pixels})


def _check_changed(plan: _Plan, manifest: ModelManifest) -> None:
    same = None if plan.options.again else version_with_digest(plan.base_path, manifest.digest)
    if same is None:
        return
    place = published_place(same)
    withdrawn = "" if same == place else ", which was withdrawn"
    raise UnchangedError(
        f"The digest of {manifest.run} is the same as that of version {place.name}{withdrawn} ({manifest.digest}), so "
        f"nothing was published; --again publishes it as version {manifest.version}."
    )


def _compare_both_ways(
    draft: _Draft, version: LoadedVersion, manifest: str, loader: Executor, progress: Progress
) -> list[Comparison]:
    """Compare the version, loaded here and as TensorFlow Serving does in `loader`, with the trained model."""
    inputs = draft.reference.inputs()
    loading = loader.submit(run_as_serving_loads, draft.folder, inputs)
    comparisons = compare("by Python", version.run(inputs), draft.reference, manifest)
    progress.on_step()
    comparisons += compare("as TensorFlow Serving does", loading.result(), draft.reference, manifest)
    progress.on_step()
    return comparisons


def _report_network(network: NetworkVerdict, progress: Progress) -> list[Comparison]:
    if network.comparison:
        return [network.comparison]
    progress.on_note(f"This version has no LiteRT network, and servers run it with TensorFlow: {network.reason}")
    return []


def _compare_with_baseline(plan: _Plan, version: LoadedVersion) -> dict[str, Any]:
    """Return what the blessing says of the version that this one must not be worse than; nothing without one."""
    if not plan.baseline:
        return {}
    if note := note_on_seen_images(plan.baseline, plan.run.record.dataset_digest):
        plan.progress.on_note(note)
    record = plan.run.record
    if not record.test_images:
        plan.progress.on_note(
            f"{record.id} has no test images (--no-test): it is compared with version {plan.baseline.name} on its "
            "validation images, which chose its epoch, and favour it."
        )
    paired = compare_with_baseline(plan.baseline, version, record.held_out_images, plan.progress)
    return {"better_than": {"version": int(plan.baseline.name), **paired.to_json()}}

"""The verb `export`, for the command line and for Python."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.actions.default_lineage import default_lineage
from graft.actions.given.arguments import given_run, refuse_as_parent
from graft.actions.versions.reason import recordable
from graft.actions.versions.server_watch import WATCHED_SECONDS, watch_published
from graft.errors import CommandError
from lineage.errors import LineageError, NotRecordedError
from lineage.store import Lineage
from trainer.progress import Progress
from trainer.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from exporter.export import Exported


def run_export(
    name: str,
    models: Path,
    runs: Path,
    shown: AbstractContextManager[Progress],
    server: str | None = None,
    **options: Any,
) -> "Exported":
    """Export a run, say what was proved, and return the version; `shown` is where progress goes meanwhile.

    With `server`, HOST:PORT, also say whether that model server loads it. `options` are those of
    `exporter.export.ExportOptions`.

    Raises:
        CommandError: a change is accepted without a reason, or something else than a run is given.
        RunNotFoundError: there is no such run.
        ExportError: the model cannot be exported, or does not predict as the trained one.
    """
    folder = given_run(name, runs)
    refuse_as_parent(models, "--models")
    if options["accept_change"] is not None and not options["accept_change"].strip():
        raise CommandError("--accept-change needs a reason, which is recorded.")
    recordable(options["accept_change"] or "", "--accept-change")
    with default_lineage(create=True) as lineage, shown as progress:
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from exporter.export import ExportOptions, export  # takes seconds, during which something should be seen
        from exporter.proof.pixels import OwnDecoder
        from modelserver.engines.pixels.proof import RULES, digests_for
        from trainer.runs.trained_model import read_run

        own_decoder = OwnDecoder(RULES, digests_for)
        exported = export(read_run(folder), models, progress, ExportOptions(**options), own_decoder=own_decoder)
        _report(exported, models, progress)
        _record(exported, lineage, progress)
        if server is not None:
            watch_published(server, exported.manifest.name, exported.manifest.version, progress, WATCHED_SECONDS)
    return exported


def _report(exported: "Exported", models: Path, progress: Progress) -> None:
    manifest, blessing = exported.manifest, exported.blessing
    for comparison in exported.comparisons:
        progress.on_note(
            f"  {comparison.signature:<16} loaded {comparison.loaded:<27} {comparison.images} images, "
            f"largest difference {comparison.largest_difference:.1e}"
        )
    if manifest.served_graph:
        progress.on_note(f"  {manifest.served_graph.in_words()}")
    if manifest.pixels:
        progress.on_note(f"  {manifest.pixels.in_words()}")
    if blessing.expectations_held:
        progress.on_note(f"  {blessing.expectations_held} given images are predicted as expected")
    for change in blessing.accepted_changes:
        seen = change.seen_label or "refused"
        progress.on_note(f"  accepted change: {change.file} was expected to be {change.label}, and is {seen}")
    if blessing.better_than:
        progress.on_note(f"  {_comparison_in_words(blessing.better_than)}")
    progress.on_note(f"Published {exported.folder}")
    progress.on_note(f"Next: graft up --models {models} --name {manifest.name}")


def _comparison_in_words(paired: dict[str, Any]) -> str:
    return (
        f"right on {paired['b_right']} of {paired['images']} test images, version {paired['version']} on "
        f"{paired['a_right']} (McNemar, p = {paired['p_value']:.2g})"
    )


def _record(exported: "Exported", lineage: Lineage, progress: Progress) -> None:
    from exporter.lineage_entry import record_export

    later = f"graft lineage record {exported.manifest.run} records it later."
    try:
        record_export(lineage, exported)
    except NotRecordedError:
        progress.on_note(f"The run is not in this lineage, so the version was not recorded: {later}")
    except LineageError as error:
        raise type(error)(f"{error} The version is published: {later}") from error

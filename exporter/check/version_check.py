"""Checking a version: everything that serves it against the model that was trained. The story."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ModelManifest
from exporter.check.bundles import TfliteFile
from exporter.check.compare import OTHER_IMAGES_BOUND, Part, compare_predictors
from exporter.check.images import ImageSet
from exporter.check.local_predictors import (
    RecordedPredictions,
    SavedModel,
    TrainedModel,
    bound_on_fixtures,
    given_fixtures,
)
from exporter.check.predictor import VersionPredictor
from exporter.check.report import CheckReport
from exporter.check.tflite_predictors import bundled_file_predictor, network_predictors
from trainer.progress import Progress
from trainer.runs.trained_model import read_run

_NO_RUN = (
    "The run {run} was not found (see --runs), so the answers recorded with the fixtures are the reference, and the "
    "SavedModel for other images."
)


@dataclass(frozen=True)
class VersionCheck:
    """What to compare: the version in a folder, and what else there is of it.

    `run` is the folder of the run that it was exported from; None where it cannot be found. `lite_files` are TFLite
    files made from it. `images` are compared besides the version's own fixtures.
    """

    version: Path
    manifest: ModelManifest
    run: Path | None
    lite_files: Sequence[TfliteFile] = ()
    images: ImageSet | None = None


@dataclass(frozen=True)
class _Opened:
    """The predictors of a check. `served` are all but the recorded answers, the trained model and the SavedModel."""

    recorded: RecordedPredictions
    trained: TrainedModel | None
    saved_model: SavedModel
    served: Sequence[VersionPredictor]

    @property
    def reference(self) -> VersionPredictor:
        """The trained model, or where it is not there what it answered at the export."""
        return self.trained or self.recorded


def check_version(
    check: VersionCheck, servers: Callable[[], Sequence[VersionPredictor]], progress: Progress
) -> CheckReport:
    """Compare everything that serves a version with its trained model; on its fixtures, and on `check.images`.

    `servers` returns the running servers to compare. It is called once the models are loaded, so that a server that
    was just started may load meanwhile.

    Raises:
        CheckError: a predictor cannot be reached, or is another model.
    """
    opened = _open(check, servers, progress)
    predictors = [opened.reference, opened.saved_model, *opened.served]
    manifest = check.manifest
    found = compare_predictors(_parts(check, opened), predictors, manifest.labels, manifest.image_input, progress)
    return CheckReport(
        name=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        images=found.images,
        rows=found.rows(),
        notes=(*_notes(check), *found.notes),
    )


def _open(check: VersionCheck, servers: Callable[[], Sequence[VersionPredictor]], progress: Progress) -> _Opened:
    version, manifest = check.version, check.manifest
    progress.on_work("opening the models", 3)
    recorded = RecordedPredictions(version, len(manifest.labels))
    progress.on_step()
    trained = TrainedModel(read_run(check.run), manifest.image_input) if check.run else None
    bound = bound_on_fixtures(version, trained, recorded.images)
    saved_model = SavedModel(version, bound)
    progress.on_step()
    served: list[VersionPredictor] = [*network_predictors(version, manifest, bound), *servers()]
    served += [bundled_file_predictor(file, manifest) for file in check.lite_files]
    progress.on_step()
    return _Opened(recorded, trained, saved_model, served)


def _parts(check: VersionCheck, opened: _Opened) -> list[Part]:
    """Return what is compared on which images. Recorded answers are known of the version's own fixtures alone."""
    parts = [Part("fixtures", opened.recorded.images, opened.reference, [opened.saved_model, *opened.served])]
    reference = opened.trained or opened.saved_model
    compared = [opened.saved_model, *opened.served] if opened.trained else opened.served
    for title, images in (("given fixtures", given_fixtures(check.version)), ("images", check.images)):
        if images:
            parts.append(Part(title, images, reference, compared, OTHER_IMAGES_BOUND))
    return parts


def _notes(check: VersionCheck) -> list[str]:
    missing = [] if check.run else [_NO_RUN.format(run=check.manifest.run)]
    skipped = check.images.skipped_in_words() if check.images else None
    return [*missing, f"Skipped in --data: {skipped}"] if skipped else missing

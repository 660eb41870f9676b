"""From a published version to a folder that an app can use: the story."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from contract.digests import digest_of_file
from contract.manifest import ModelManifest
from contract.versions import MANIFEST, staged_folder
from exporter.bundle.golden_images import write_golden
from exporter.bundle.images import (
    choose_representatives,
    decode_representatives,
    decode_test_images,
)
from exporter.bundle.install import put_in_place
from exporter.bundle.int8_fallbacks import try_variants
from exporter.bundle.readme import render_readme
from exporter.bundle.report import render_report
from exporter.bundle.resize_warning import warnings_of
from exporter.bundle.variants import AcceptedVariant, VariantInputs, VariantResult
from exporter.tflite.conversion import spanning_all_values
from exporter.tflite.graph import PixelGraph
from exporter.tflite.metadata import Description
from exporter.tflite.records import (
    BUNDLE_FILE,
    GOLDEN,
    LABELS_FILE,
    README_FILE,
    REPORT_FILE,
    MobileBundle,
    RefusedVariant,
    Requested,
    Source,
)
from trainer.data.preprocessing import ImageDecoder
from trainer.progress import Progress
from trainer.runs.code_version import code_version
from trainer.runs.data_split import DataSplit
from trainer.runs.environment import environment

_IN_THE_APP = ("decode", "turn upright", "stretch to the input's size", "hand over RGB bytes")
_LIBRARIES = ("ai-edge-litert", "flatbuffers")


@dataclass(frozen=True)
class BundleRequest:
    """What to make: a bundle of the version in a folder, at `out`, with these variants.

    `max_accuracy_drop` is the share of test images that a variant may recognise less than the SavedModel, besides
    one. `lineage_id` is the version's, if it has one.
    """

    version: Path
    out: Path
    variants: Sequence[Requested]
    max_accuracy_drop: float
    replace: bool = False
    lineage_id: int | None = None


def make_bundle(request: BundleRequest, manifest: ModelManifest, split: DataSplit, progress: Progress) -> MobileBundle:
    """Convert the version, judge each variant on the test images of `split`, and write what passes.

    Raises:
        ConversionError: the graph cannot become a TFLite file.
        LiteGateError: no variant answers well enough; nothing was written.
        AlreadyPublishedError: something lies at `request.out`, and is not to be replaced.
        DataSetError: no image of a split can be decoded.
    """
    inputs = _set_up(request, manifest, split, progress)
    with closing(inputs.images):
        results = try_variants(inputs, request.variants)
        bundle = _describe(request, manifest, inputs, results)
        with staged_folder(request.out.absolute().parent) as staged:
            bundle = _write(staged, bundle, inputs, results)
            put_in_place(staged, request.out.absolute(), replace=request.replace)
    return bundle


def _set_up(request: BundleRequest, manifest: ModelManifest, split: DataSplit, progress: Progress) -> VariantInputs:
    images = split.images.images
    chosen, test = choose_representatives(images["train"], split.seed), images[split.images.held_out]
    if split.images.held_out != "test":
        progress.on_note("The run has no test images (--no-test): the files are judged on its validation images.")
    progress.on_work("reading images", len(chosen) + 2 * len(test))
    graph, decoder = PixelGraph(request.version), ImageDecoder(manifest.image_input)
    return VariantInputs(
        graph=graph,
        representatives=spanning_all_values(decode_representatives(chosen, decoder, progress.on_step)),
        images=decode_test_images(test, decoder, graph, progress.on_step),
        description=_description_of(manifest),
        max_accuracy_drop=request.max_accuracy_drop,
        progress=progress,
    )


def _description_of(manifest: ModelManifest) -> Description:
    return Description(
        name=manifest.name,
        text=f"Which of {len(manifest.labels)} classes an image shows: {manifest.architecture}, "
        f"{manifest.image_input.width} x {manifest.image_input.height} pixels, RGB from 0 to 255. "
        f"{manifest.digest}",
        version=str(manifest.version),
        labels=manifest.labels,
    )


def _describe(
    request: BundleRequest, manifest: ModelManifest, inputs: VariantInputs, results: Sequence[VariantResult]
) -> MobileBundle:
    written = tuple(result.record for result in results if isinstance(result, AcceptedVariant))
    return MobileBundle(
        source=Source(
            name=manifest.name,
            version=manifest.version,
            digest=manifest.digest,
            manifest_digest=digest_of_file(request.version / MANIFEST),
            run=manifest.run,
            lineage_id=request.lineage_id,
        ),
        labels=manifest.labels,
        image_input=manifest.image_input,
        in_the_app=_IN_THE_APP,
        representative_images=len(inputs.representatives),
        max_accuracy_drop=inputs.max_accuracy_drop,
        saved_model=inputs.reference,
        written=written,
        refused=tuple(result for result in results if isinstance(result, RefusedVariant)),
        warnings=warnings_of(written, manifest.image_input),
        code_version=code_version(),
        environment={**environment(), **{library: version(library) for library in _LIBRARIES}},
    )


def _write(staged: Path, bundle: MobileBundle, inputs: VariantInputs, results: Sequence[VariantResult]) -> MobileBundle:
    """Write all files, and return the record with their digests."""
    files = {result.record.variant: result.content for result in results if isinstance(result, AcceptedVariant)}
    for record in bundle.written:
        (staged / record.file).write_bytes(files[record.variant])
    (staged / LABELS_FILE).write_bytes(inputs.description.labels_file())
    (staged / README_FILE).write_text(render_readme(bundle), encoding="utf-8")
    (staged / REPORT_FILE).write_text(render_report(bundle), encoding="utf-8")
    write_golden(staged / GOLDEN, inputs.images, bundle.labels, files)
    paths = sorted(path for path in staged.rglob("*") if path.is_file())
    digests = {path.relative_to(staged).as_posix(): digest_of_file(path) for path in paths}
    bundle = bundle.model_copy(update={"files": digests})
    (staged / BUNDLE_FILE).write_text(bundle.to_json(), encoding="utf-8")
    return bundle

"""One variant of a TFLite file: converted, measured and judged."""

from dataclasses import dataclass
from functools import cached_property

from contract.digests import digest_of_bytes
from exporter.bundle.gate import why_refused
from exporter.bundle.images import TestImages
from exporter.bundle.measurement import accuracy_of, measure, measure_phone_resize
from exporter.errors import ConversionError
from exporter.tflite.conversion import convert
from exporter.tflite.graph import PixelGraph, Pixels
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.metadata import Description
from exporter.tflite.records import Accuracy, RefusedVariant, Variant, WrittenVariant
from trainer.progress import Progress


@dataclass(frozen=True)
class VariantInputs:
    """What every variant is converted from, measured with and judged by."""

    graph: PixelGraph
    representatives: Pixels
    images: TestImages
    description: Description
    max_accuracy_drop: float
    progress: Progress

    @cached_property
    def reference(self) -> Accuracy:
        """The SavedModel's own accuracy on the test images."""
        return accuracy_of(self.images.reference, self.images.labels)


@dataclass(frozen=True)
class AcceptedVariant:
    """A file that may be shipped."""

    content: bytes
    record: WrittenVariant


VariantResult = AcceptedVariant | RefusedVariant


def variant_of(result: VariantResult) -> Variant:
    """Return which variant a result is of."""
    return result.record.variant if isinstance(result, AcceptedVariant) else result.variant


def try_variant(inputs: VariantInputs, variant: Variant) -> VariantResult:
    """Make, measure and judge one variant; what cannot be converted is refused too."""
    progress, images = inputs.progress, inputs.images
    progress.on_work(f"{variant}: convert", 1)
    try:
        content = convert(inputs.graph, variant, inputs.representatives, inputs.description)
        progress.on_step()
        progress.on_work(f"{variant}: measure", 2 * len(images))
        measured, predictions = measure(variant, content, images, inputs.description.labels, progress.on_step)
    except ConversionError as error:
        return RefusedVariant(variant=variant, reason=str(error))
    if reason := why_refused(variant, measured, inputs.reference, inputs.max_accuracy_drop):
        return RefusedVariant(variant=variant, reason=f"{reason[0].upper()}{reason[1:]}.", measured=measured)
    model = LiteModel(content)
    record = WrittenVariant(
        variant=variant,
        file=f"model-{variant}.tflite",
        digest=digest_of_bytes(content),
        input=model.input,
        output=model.output,
        measured=measured,
        phone_resize=measure_phone_resize(content, predictions, images, progress.on_step),
    )
    return AcceptedVariant(content, record)

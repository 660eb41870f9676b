"""Whether a TFLite file may be shipped: the bounds, and what is said where one is broken."""

from collections.abc import Mapping

from exporter.tflite.records import Accuracy, Measurement, Variant

LARGEST_DIFFERENCES: Mapping[Variant, float] = {"float32": 2e-3, "float16": 1e-2}
"""How far any probability may be from the SavedModel's; variants of integers are judged by their accuracy alone."""

PHOTO_TO_SPARE = 1
"""How many images more than the given share may be lost: of 90 images one is 1.1 %, and often only a coin's toss
between two classes that were equally likely before."""


def why_refused(variant: Variant, measured: Measurement, reference: Accuracy, max_accuracy_drop: float) -> str | None:
    """Return why a file may not be shipped, in words; None where it may."""
    bound = LARGEST_DIFFERENCES.get(variant)
    if bound is not None and not measured.largest_difference <= bound:  # so that NaN fails too
        return f"a probability differs from the SavedModel's by {measured.largest_difference:.2g} (bound {bound:g})"
    if bound is not None and measured.same_prediction_where_clear < 1:
        return f"it gives {measured.same_prediction:.1%} of the test images the SavedModel's answer, not all"
    lost, allowed = reference.right - measured.accuracy.right, lost_at_most(reference, max_accuracy_drop)
    if lost > allowed:
        return (
            f"it recognises {measured.accuracy.right} of {reference.images} test images, the SavedModel "
            f"{reference.right}: {lost} fewer, and at most {allowed} may be lost "
            f"({max_accuracy_drop:.1%} and one image more)"
        )
    return None


def lost_at_most(reference: Accuracy, max_accuracy_drop: float) -> int:
    """Return how many test images fewer than the SavedModel a variant may recognise."""
    return PHOTO_TO_SPARE + int(max_accuracy_drop * reference.images + 1e-9)  # 0.29 * 100 is 28.999999999999996

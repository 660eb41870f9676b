"""What a developer should know before shipping a bundle, in sentences."""

from collections.abc import Sequence

from contract.image_input import ImageInput
from exporter.tflite.records import WrittenVariant

SAME_PREDICTION_ON_PHONES = 0.95
"""Below this share of unchanged answers, a phone's way of resizing is a fault that users meet."""


def warnings_of(written: Sequence[WrittenVariant], image_input: ImageInput) -> tuple[str, ...]:
    """Return the warnings; none where there is nothing to say."""
    worst = min(written, key=lambda record: record.phone_resize.same_prediction)
    same, accuracy = worst.phone_resize.same_prediction, worst.phone_resize.accuracy
    if same >= SAME_PREDICTION_ON_PHONES:
        return ()
    remedy = "Train with random resize kernels (augmentation.resize_kernels) or with model.antialias = false, "
    if not image_input.antialias:
        remedy = "Train with random resize kernels (augmentation.resize_kernels), "
    return (
        f"Resized as MediaPipe does it, only {same:.1%} of the test images keep their answer ({worst.variant}; "
        f"{accuracy.share:.1%} are recognised, prepared as in training {worst.measured.accuracy.share:.1%}). {remedy}"
        "or let the app halve a large image until it is less than twice the model's size before MediaPipe gets it.",
    )

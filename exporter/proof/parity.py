"""Whether the exported model answers as the trained one does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contract.blessing import RoundingNoise
from contract.image_input import ImageInput
from contract.signatures import DESCRIBE, PIXELS_OF_IMAGE, SERVING_DEFAULT, SERVING_PIXELS
from exporter.errors import ParityError
from exporter.proof.fixtures import Fixture
from exporter.proof.rounding import bound_for, largest_difference, measure_noise
from exporter.saved_model.loading import Inputs, Outputs
from exporter.saved_model.warmup import string_array
from trainer.data.reference_histograms import brightness_of
from trainer.runs.trained_model import MaskedPredictions, Run, decode_each, predict_decoded

LARGEST_BRIGHTNESS_DIFFERENCE = 1e-5
"""Brightness is a mean of pixels: no network multiplies its rounding."""


@dataclass(frozen=True)
class Reference:
    """What the trained model makes of the fixtures.

    `pixels` uint8 [K, H, W, 3] are those of the K fixtures that `predictions` marks valid. `noise` is the model's own,
    and decides how far a probability may be from these.
    """

    fixtures: Sequence[Fixture]
    labels: tuple[str, ...]
    predictions: MaskedPredictions
    pixels: npt.NDArray[np.uint8]
    noise: RoundingNoise | None = None

    @property
    def bound(self) -> float:
        """How far a probability may be from the trained model's."""
        return bound_for(self.noise)

    def inputs(self) -> Inputs:
        """Return what to ask a loaded model: the fixtures as bytes, then as pixels, and its manifest."""
        contents = string_array([fixture.content for fixture in self.fixtures])
        return {
            SERVING_DEFAULT: ("image_bytes", contents),
            PIXELS_OF_IMAGE: ("image_bytes", contents),
            SERVING_PIXELS: ("pixels", self.pixels),
            DESCRIBE: ("query", string_array([b""])),
        }

    def names(self) -> list[str]:
        """Return the fixtures' file names."""
        return [fixture.name for fixture in self.fixtures]

    def names_of_valid(self) -> list[str]:
        """Return the file names of the fixtures that have an answer."""
        return [name for name, valid in zip(self.names(), self.predictions.valid, strict=True) if valid]

    def predictions_of_valid(self) -> npt.NDArray[np.float32]:
        """Return the probabilities of the fixtures that have an answer, float32 [K, C]."""
        return self.predictions.probabilities[self.predictions.valid]


@dataclass(frozen=True)
class Comparison:
    """One signature, loaded in one way, against the trained model on the fixtures."""

    loaded: str
    signature: str
    images: int
    largest_difference: float
    worst_image: str


def predict_trained_model(run: Run, image_input: ImageInput, fixtures: Sequence[Fixture]) -> Reference:
    """Ask the run's own model about the fixtures, read as `image_input` says.

    Raises:
        ParityError: it answers one that must be refused, or refuses one that it was tested on.
    """
    images = decode_each(image_input, [fixture.content for fixture in fixtures])
    model = run.load_model()
    predictions = predict_decoded(model, image_input, images)
    for fixture, valid in zip(fixtures, predictions.valid, strict=True):
        if valid != (fixture.label is not None):
            did = "answers" if valid else "refuses"
            raise ParityError(f"The trained model {did} {fixture.name}, which it must not; nothing was published.")
    pixels = images.pixels[images.valid]
    return Reference(fixtures, run.record.labels, predictions, pixels, measure_noise(model, image_input, pixels))


def with_one_thread(reference: Reference, probabilities: npt.NDArray[np.float32] | None) -> Reference:
    """Add to the noise what the model answered to the valid fixtures on one thread; None where it could not."""
    if reference.noise is None or probabilities is None:
        return reference
    threads = largest_difference(probabilities, reference.predictions_of_valid())
    return replace(reference, noise=reference.noise.model_copy(update={"threads": threads}))


def compare(loaded: str, outputs: Outputs, reference: Reference, manifest: str) -> list[Comparison]:
    """Compare what a loaded model answered with the reference; `loaded` says how it was loaded.

    Raises:
        ParityError: a probability is off by more than the bound, an image was refused that should be answered or
            the other way round, a label is not the likeliest one, a brightness is not the pixels' mean, an image has
            other pixels, or the manifest is another.
    """
    default, predictions = outputs[SERVING_DEFAULT], reference.predictions
    _check_labels_and_validity(loaded, default, reference)
    _check_pixels(loaded, outputs[PIXELS_OF_IMAGE], reference)
    if outputs[DESCRIBE]["manifest"][0] != manifest.encode():
        raise ParityError(
            f"Loaded {loaded}, `describe` does not answer with this version's manifest; nothing was published."
        )
    from_bytes = measure(
        loaded, SERVING_DEFAULT, default["probabilities"], predictions.probabilities, reference.names()
    )
    comparisons = [from_bytes, compare_pixels(loaded, outputs[SERVING_PIXELS]["probabilities"], reference)]
    for comparison in comparisons:
        if reason := why_refused(comparison, reference):
            raise ParityError(f"{reason}; nothing was published.")
    return comparisons


def compare_pixels(loaded: str, probabilities: npt.NDArray[np.float32], reference: Reference) -> Comparison:
    """Measure how far `probabilities`, float32 [K, C], of the valid fixtures' pixels are from the reference's."""
    return measure(loaded, SERVING_PIXELS, probabilities, reference.predictions_of_valid(), reference.names_of_valid())


def why_refused(comparison: Comparison, reference: Reference) -> str | None:
    """Return in words, without a full stop, why a comparison is beyond the bound; None where it is not."""
    largest, noise = comparison.largest_difference, reference.noise
    if largest <= reference.bound:  # which NaN is not
        return None
    own = f"; rounding alone moves this network's by {noise.largest:.2g} here" if noise else ""
    return (
        f"Loaded {comparison.loaded}, {comparison.signature} differs from the trained model by {largest:.2g} on "
        f"{comparison.worst_image} (bound {reference.bound:.2g}{own})"
    )


def measure(
    loaded: str,
    signature: str,
    seen: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float32],
    names: Sequence[str],
) -> Comparison:
    """Return the largest difference between two answers to the images `names`, float32 [N, C], whatever it is."""
    differences = np.abs(seen - expected).max(axis=1)
    worst = int(differences.argmax())
    return Comparison(loaded, signature, len(names), float(differences[worst]), names[worst])


def _check_labels_and_validity(loaded: str, seen: Mapping[str, npt.NDArray[Any]], reference: Reference) -> None:
    _check_validity(loaded, "the model", seen["valid"], reference)
    _check_labels(loaded, seen["label"], reference)
    _check_brightness(loaded, "the model", seen["brightness"], reference)


def _check_pixels(loaded: str, seen: Mapping[str, npt.NDArray[Any]], reference: Reference) -> None:
    _check_validity(loaded, PIXELS_OF_IMAGE, seen["valid"], reference)
    _check_brightness(loaded, PIXELS_OF_IMAGE, seen["brightness"], reference)
    for name, pixels, expected in zip(
        reference.names_of_valid(), seen["pixels"][reference.predictions.valid], reference.pixels, strict=True
    ):
        if not np.array_equal(pixels, expected):
            raise ParityError(
                f"Loaded {loaded}, {PIXELS_OF_IMAGE} makes other pixels of {name} than training did; nothing was "
                "published."
            )


def _check_validity(loaded: str, who: str, seen: npt.NDArray[np.bool_], reference: Reference) -> None:
    for name, valid, should_be in zip(reference.names(), seen, reference.predictions.valid, strict=True):
        if valid != should_be:
            did = "answers" if valid else "refuses"
            raise ParityError(f"Loaded {loaded}, {who} {did} {name}, other than trained; nothing was published.")


def _check_labels(loaded: str, seen: npt.NDArray[np.object_], reference: Reference) -> None:
    predictions = reference.predictions
    rows = zip(reference.names(), seen, predictions.probabilities, predictions.valid, strict=True)
    for name, label, probabilities, valid in rows:
        right = reference.labels[probabilities.argmax()] if valid else ""
        if label.decode() != right:
            raise ParityError(
                f"Loaded {loaded}, the model calls {name} {label.decode()!r}, not {right!r}; nothing was published."
            )


def _check_brightness(loaded: str, who: str, seen: npt.NDArray[np.float32], reference: Reference) -> None:
    should_be = np.zeros_like(seen)
    should_be[reference.predictions.valid] = brightness_of(reference.pixels)
    for name, found, expected in zip(reference.names(), seen, should_be, strict=True):
        if not abs(found - expected) <= LARGEST_BRIGHTNESS_DIFFERENCE:
            raise ParityError(
                f"Loaded {loaded}, {who} says that {name} has a brightness of {found:.6f}, and it is "
                f"{expected:.6f}; nothing was published."
            )

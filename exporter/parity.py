"""Whether the exported model answers as the trained one does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from exporter.errors import ParityError
from exporter.fixtures import Fixture
from exporter.saved_model import Inputs, Outputs
from exporter.serving_signature import DESCRIBE, SERVING_DEFAULT, SERVING_PIXELS
from exporter.warmup import string_array
from trainer.reference_histograms import brightness_of
from trainer.trained_model import Answers, Run, answer_decoded, decode_each

LARGEST_DIFFERENCE = 1e-5
"""How far a probability may be from the trained model's: float32 sums in another order differ by about 1e-6."""


@dataclass(frozen=True)
class Reference:
    """What the trained model makes of the fixtures.

    `pixels` uint8 [K, H, W, 3] are those of the K fixtures that `answers` marks valid.
    """

    fixtures: Sequence[Fixture]
    labels: tuple[str, ...]
    answers: Answers
    pixels: npt.NDArray[np.uint8]

    def questions(self) -> Inputs:
        """Return what to ask a loaded model: the fixtures as bytes, then as pixels, and its manifest."""
        return {
            SERVING_DEFAULT: ("image_bytes", string_array([fixture.content for fixture in self.fixtures])),
            SERVING_PIXELS: ("pixels", self.pixels),
            DESCRIBE: ("query", string_array([b""])),
        }

    def names(self) -> list[str]:
        """Return the fixtures' file names."""
        return [fixture.name for fixture in self.fixtures]

    def names_of_valid(self) -> list[str]:
        """Return the file names of the fixtures that have an answer."""
        return [name for name, valid in zip(self.names(), self.answers.valid, strict=True) if valid]


@dataclass(frozen=True)
class Comparison:
    """One signature, loaded in one way, against the trained model on the fixtures."""

    loaded: str
    signature: str
    pictures: int
    largest_difference: float
    worst_picture: str


def ask_trained_model(run: Run, image_input: ImageInput, fixtures: Sequence[Fixture]) -> Reference:
    """Ask the run's own model about the fixtures, read as `image_input` says.

    Raises:
        ParityError: it answers one that must be refused, or refuses one that it was tested on.
    """
    pictures = decode_each(image_input, [fixture.content for fixture in fixtures])
    answers = answer_decoded(run.load_model(), image_input, pictures)
    for fixture, valid in zip(fixtures, answers.valid, strict=True):
        if valid != (fixture.label is not None):
            did = "answers" if valid else "refuses"
            raise ParityError(f"The trained model {did} {fixture.name}, which it must not; nothing was published.")
    return Reference(fixtures, run.record.labels, answers, pictures.pixels[pictures.valid])


def compare(loaded: str, outputs: Outputs, reference: Reference, manifest: str) -> list[Comparison]:
    """Compare what a loaded model answered with the reference; `loaded` says how it was loaded.

    Raises:
        ParityError: a probability is off by more than the bound, a picture was refused that should be answered or
            the other way round, a label is not the likeliest one, a brightness is not the pixels' mean, or the
            manifest is another.
    """
    default, answers = outputs[SERVING_DEFAULT], reference.answers
    _check_validity(loaded, default["valid"], reference)
    _check_labels(loaded, default["label"], reference)
    _check_brightness(loaded, default["brightness"], reference)
    if outputs[DESCRIBE]["manifest"][0] != manifest.encode():
        raise ParityError(
            f"Loaded {loaded}, `describe` does not answer with this version's manifest; nothing was published."
        )
    from_pixels = outputs[SERVING_PIXELS]["probabilities"]
    return [
        _compare_probabilities(
            loaded, SERVING_DEFAULT, default["probabilities"], answers.probabilities, reference.names()
        ),
        _compare_probabilities(
            loaded,
            SERVING_PIXELS,
            from_pixels,
            answers.probabilities[answers.valid],
            reference.names_of_valid(),
        ),
    ]


def _compare_probabilities(
    loaded: str,
    signature: str,
    seen: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float32],
    names: Sequence[str],
) -> Comparison:
    differences = np.abs(seen - expected).max(axis=1)
    worst = int(differences.argmax())
    largest = float(differences[worst])
    if not largest <= LARGEST_DIFFERENCE:  # so that NaN fails too
        raise ParityError(
            f"Loaded {loaded}, {signature} differs from the trained model by {largest:.2g} on {names[worst]} "
            f"(bound {LARGEST_DIFFERENCE:.0e}); nothing was published."
        )
    return Comparison(loaded, signature, len(names), largest, names[worst])


def _check_validity(loaded: str, seen: npt.NDArray[np.bool_], reference: Reference) -> None:
    for name, valid, should_be in zip(reference.names(), seen, reference.answers.valid, strict=True):
        if valid != should_be:
            did = "answers" if valid else "refuses"
            raise ParityError(f"Loaded {loaded}, the model {did} {name}, other than trained; nothing was published.")


def _check_labels(loaded: str, seen: npt.NDArray[np.object_], reference: Reference) -> None:
    answers = reference.answers
    rows = zip(reference.names(), seen, answers.probabilities, answers.valid, strict=True)
    for name, label, probabilities, valid in rows:
        right = reference.labels[probabilities.argmax()] if valid else ""
        if label.decode() != right:
            raise ParityError(
                f"Loaded {loaded}, the model calls {name} {label.decode()!r}, not {right!r}; nothing was published."
            )


def _check_brightness(loaded: str, seen: npt.NDArray[np.float32], reference: Reference) -> None:
    should_be = np.zeros_like(seen)
    should_be[reference.answers.valid] = brightness_of(reference.pixels)
    for name, found, expected in zip(reference.names(), seen, should_be, strict=True):
        if not abs(found - expected) <= LARGEST_DIFFERENCE:
            raise ParityError(
                f"Loaded {loaded}, the model says that {name} has a brightness of {found:.6f}, and it is "
                f"{expected:.6f}; nothing was published."
            )

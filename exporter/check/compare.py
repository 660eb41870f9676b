"""Whether everything that serves a version answers as its trained model: the story."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contract.image_input import ImageInput
from exporter.check.images import ImageBatch, ImageSet
from exporter.check.predictor import VersionPredictor
from exporter.check.report import PredictorResult, Tally
from exporter.proof.rounding import LARGEST_BOUND
from trainer.data.preprocessing import ImageDecoder
from trainer.progress import Progress

OTHER_IMAGES_BOUND = LARGEST_BOUND
"""The least bound on images other than the fixtures, about which the export proved nothing and measured no noise.

Rounding alone can take two ways of running one network further apart than 1e-5: of a small network trained from
scratch, the trained model and the SavedModel with folded BatchNorm were 9e-6 and 8e-6 from its answers in double
precision, and 1.7e-5 from each other.
"""

_TIMED_IMAGES = 8
_ROUNDS = 2 * _TIMED_IMAGES
"""Enough for a median; the trained model, which nobody serves, takes a fifth of a second and more for an image."""
_LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class Part:
    """Images, what they are called, the one whose answers are right, and those that are compared with it.

    Bounds that are below `least_bound` count as that.
    """

    title: str
    images: ImageSet
    reference: VersionPredictor
    compared: Sequence[VersionPredictor]
    least_bound: float = 0.0


@dataclass
class RunningComparison:
    """A check in progress: what is known of each predictor so far, and how many images each part had."""

    tallies: list[Tally]
    images: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    to_time: list[ImageBatch] = field(default_factory=list)

    def rows(self) -> tuple[PredictorResult, ...]:
        """Return what was found of each, in their order."""
        return tuple(tally.result() for tally in self.tallies)


def compare_predictors(
    parts: Sequence[Part],
    predictors: Sequence[VersionPredictor],
    labels: Sequence[str],
    image_input: ImageInput,
    progress: Progress,
) -> RunningComparison:
    """Compare answers to every image of each part; then time `predictors` on single images.

    A few images are held at a time, and of each only how it compares is kept.

    Raises:
        CheckError: a predictor cannot be reached.
    """
    decoder = ImageDecoder(image_input)
    found = RunningComparison([Tally(predictor, labels) for predictor in predictors])
    progress.on_work("comparing", sum(len(part.images.files) for part in parts))
    for part in parts:
        found.images[part.title] = 0
        for batch in part.images.batches(decoder, found.notes.append):
            _compare(batch, part, found)
            progress.on_step(len(batch.names))
    _measure_latency(found, progress)
    return found


def _compare(batch: ImageBatch, part: Part, found: RunningComparison) -> None:
    expected = part.reference.predict(batch)
    for tally in found.tallies:
        if tally.predictor in part.compared:
            bound = None if tally.predictor.bound is None else max(tally.predictor.bound, part.least_bound)
            tally.add(batch.names, expected, tally.predictor.predict(batch), bound)
    found.images[part.title] += len(batch.names)
    room = _TIMED_IMAGES - len(found.to_time)
    found.to_time += [batch.single(row) for row in batch.valid.nonzero()[0][:room]]


def _measure_latency(found: RunningComparison, progress: Progress) -> None:
    """Time one image at a time, the predictors in turn, so that what else the machine does falls on all of them."""
    if not found.to_time:
        return
    timed = [tally for tally in found.tallies if tally.predictor.timed]
    progress.on_work("measuring latency", _ROUNDS)
    for tally in timed:
        tally.predictor.predict(found.to_time[0])  # the first call of a shape may be slow
    for batch in _in_turn(found.to_time):
        for tally in timed:
            started = time.perf_counter()
            tally.predictor.predict(batch)
            tally.milliseconds.append(1000 * (time.perf_counter() - started))
        progress.on_step()


def _in_turn(batches: Sequence[ImageBatch]) -> Iterator[ImageBatch]:
    ends = time.monotonic() + _LONGEST_SECONDS
    for turn in range(_ROUNDS):
        yield batches[turn % len(batches)]
        if time.monotonic() > ends:
            return

"""Sentences about drift, from the counts of a reference and of the last images."""

from collections.abc import Sequence
from itertools import pairwise

from contract.reference import Histogram, ReferenceDistributions
from gateway.drift.buckets import Feature

_MOST_CLASSES = 3
_WORTH_TELLING = 0.05
_SAME = 0.05
"""If the means differ by less than this share of the larger one, the sentence names the distribution instead."""

_MEGA = 1_000_000

_BRIGHTNESS = ("images are brighter", "images are darker", "the brightness of images is distributed differently")
_CONFIDENCE = (
    "predictions are more confident",
    "predictions are less confident",
    "the confidence of predictions is distributed differently",
)
_SIZE = ("images are larger", "images are smaller", "the sizes of images are distributed differently")


def sentence_of(feature: Feature, reference: ReferenceDistributions, live: Sequence[int], *, moved: bool) -> str:
    """Return a sentence that compares a feature of the last images with the reference; `live` counts its buckets."""
    if feature == "class":
        return _classes_in_words(reference.predicted, live) if moved else "classes are predicted as in the reference"
    if feature == "brightness":
        known, text, words = reference.brightness, "mean brightness {}", _BRIGHTNESS
    elif feature == "confidence":
        known, text, words = reference.confidence, "mean probability of the predicted class {}", _CONFIDENCE
    else:
        return _sizes_in_words(reference.size, live, moved=moved)
    before, now = _mean(known.edges, known.counts), _mean(known.edges, live)
    return _in_words(before, now, sum(live), text, words, moved=moved)


def _sizes_in_words(histogram: Histogram, live: Sequence[int], *, moved: bool) -> str:
    before, now = (_median(histogram.edges, counts) / _MEGA for counts in (histogram.counts, live))
    return _in_words(before, now, sum(live), "median {} megapixels", _SIZE, moved=moved)


def _in_words(before: float, now: float, images: int, text: str, words: Sequence[str], *, moved: bool) -> str:
    seen = f"{text.format(_number(before))} in the reference, {_number(now)} in the last {images}"
    if not moved:
        return f"as in the reference: {seen}"
    up, down, otherwise = words
    if abs(now - before) < _SAME * max(now, before):
        return f"{otherwise}: {seen}"
    return f"{up if now > before else down}: {seen}"


def _classes_in_words(predicted: dict[str, int], live: Sequence[int]) -> str:
    """Name the classes that moved most: those by at least five percentage points, at most three, at least one."""
    total, images = sum(predicted.values()), sum(live)
    shares = [(label, count / total, now / images) for (label, count), now in zip(predicted.items(), live, strict=True)]
    shares.sort(key=lambda each: -abs(each[2] - each[1]))
    told = [each for each in shares[:_MOST_CLASSES] if abs(each[2] - each[1]) >= _WORTH_TELLING] or shares[:1]
    return "; ".join(
        f"{label}: {_percent(before)} of predictions in the reference, {_percent(now)} in the last {images}"
        for label, before, now in told
    )


def _mean(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Return the mean, with each value taken as the middle of its bucket."""
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    return sum(middle * count for middle, count in zip(middles, counts, strict=True)) / sum(counts)


def _median(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Return the median, with the values in its bucket assumed to be evenly distributed."""
    half, before = sum(counts) / 2, 0
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        if count and before + count >= half:
            return low + (high - low) * (half - before) / count
        before += count
    return edges[-1]


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f} %" if 0 < percent < 10 else f"{percent:.0f} %"

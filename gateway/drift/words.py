"""What moved, in a sentence, from the counts of a reference and of the last images."""

from collections.abc import Sequence
from itertools import pairwise

from contract.reference import Histogram, ReferenceDistributions
from gateway.drift.buckets import Feature

_MOST_CLASSES = 3
_WORTH_TELLING = 0.05
_SAME = 0.05
"""Means that are so near, as a share of the larger one, are not what moved."""

_MEGA = 1_000_000

_BRIGHTNESS = ("images are brighter", "images are darker", "the brightness of images is spread otherwise")
_CONFIDENCE = ("answers are surer", "answers are less sure", "the certainty of answers is spread otherwise")
_SIZE = ("images are larger", "images are smaller", "the sizes of images are spread otherwise")


def sentence_of(feature: Feature, reference: ReferenceDistributions, live: Sequence[int], *, moved: bool) -> str:
    """Return how a feature of the last images, counted in the reference's buckets, compares with the reference."""
    if feature == "class":
        return _classes_in_words(reference.predicted, live) if moved else "classes are answered as in the reference"
    if feature == "brightness":
        known, text, words = reference.brightness, "mean brightness {}", _BRIGHTNESS
    elif feature == "confidence":
        known, text, words = reference.confidence, "mean probability of the likeliest class {}", _CONFIDENCE
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
    """Name the classes that moved most: all by five points and more, three at most, and one at least."""
    total, images = sum(predicted.values()), sum(live)
    shares = [(label, count / total, now / images) for (label, count), now in zip(predicted.items(), live, strict=True)]
    shares.sort(key=lambda each: -abs(each[2] - each[1]))
    told = [each for each in shares[:_MOST_CLASSES] if abs(each[2] - each[1]) >= _WORTH_TELLING] or shares[:1]
    return "; ".join(
        f"{label}: {_percent(before)} of answers in the reference, {_percent(now)} in the last {images}"
        for label, before, now in told
    )


def _mean(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Return the mean, each value taken for the middle of its bucket."""
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    return sum(middle * count for middle, count in zip(middles, counts, strict=True)) / sum(counts)


def _median(edges: Sequence[float], counts: Sequence[int]) -> float:
    """Return the median, the values of its bucket taken for evenly spread."""
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

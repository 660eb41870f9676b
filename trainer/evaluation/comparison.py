"""What differs between two runs, and whether the difference in accuracy is more than chance."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import binomtest, fisher_exact

from trainer.config import TrainingConfig
from trainer.evaluation.predictions_file import HeldOutPrediction

SIGNIFICANCE_LEVEL = 0.05
_FEW_IMAGES = 30


@dataclass(frozen=True)
class PairedPredictions:
    """How often two models, A and B, were right on the same images, and how likely the difference is by chance.

    `only_a_right` and `only_b_right` count the images that only one of them got right; the others do not tell which
    model is better. `p_value` is McNemar's test in its exact form (McNemar 1947, doi:10.1007/BF02295996): how likely
    a split of those images at least as uneven is when both models are equally good.
    """

    images: int
    a_right: int
    b_right: int
    only_a_right: int
    only_b_right: int
    p_value: float

    @property
    def more_than_chance(self) -> bool:
        """Whether the p-value is below 5 %."""
        return self.p_value < SIGNIFICANCE_LEVEL

    def to_json(self) -> dict[str, Any]:
        """Return the values by name."""
        return asdict(self)


def chance_of_difference(right: int, images: int, other_right: int, other_images: int) -> float:
    """Return how likely shares at least as different are by chance, on different images (Fisher's exact test)."""
    table = [[right, images - right], [other_right, other_images - other_right]]
    return float(fisher_exact(table).pvalue)


@dataclass(frozen=True)
class SharedImages:
    """Whether two runs were right on each test image that both have, in the same order.

    `relabelled` counts images whose true class differs between the runs; they are left out.
    """

    a_right: list[bool]
    b_right: list[bool]
    relabelled: int


@dataclass(frozen=True)
class Difference:
    """A setting that differs, by its dotted name; None where one side does not have it."""

    name: str
    a: Any
    b: Any


def compare_predictions(a_right: Iterable[bool], b_right: Iterable[bool]) -> PairedPredictions:
    """Compare two models by whether each was right, on the same images in the same order."""
    pairs = [(bool(a), bool(b)) for a, b in zip(a_right, b_right, strict=True)]
    only_a, only_b = pairs.count((True, False)), pairs.count((False, True))
    both = pairs.count((True, True))
    p_value = float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return PairedPredictions(len(pairs), both + only_a, both + only_b, only_a, only_b, p_value)


def shared_test_images(a: Sequence[HeldOutPrediction], b: Sequence[HeldOutPrediction]) -> SharedImages:
    """Find the test images that two runs share, by the digest of the file; a copy within a run counts once."""
    of_a, of_b = _test_images_by_digest(a), _test_images_by_digest(b)
    both = [(of_a[digest], of_b[digest]) for digest in of_a if digest in of_b]
    alike = [(one, other) for one, other in both if one.truth == other.truth]
    return SharedImages([one.right for one, _ in alike], [other.right for _, other in alike], len(both) - len(alike))


def verdict_in_words(paired: PairedPredictions, a: str, b: str) -> str:
    """Return the result of comparing models named `a` and `b`, as a sentence."""
    if not paired.images:
        return "They share no test images, so the difference in accuracy cannot be tested."
    if not paired.only_a_right and not paired.only_b_right:
        return f"They are right and wrong on the same images; {paired.images} shared test images."
    better, worse = (a, b) if paired.a_right >= paired.b_right else (b, a)
    points = 100 * abs(paired.a_right - paired.b_right) / paired.images
    said = f"{better} is ahead of {worse} by {points:.1f} points" if points else f"{a} and {b} are equally accurate"
    chance = "more than chance" if paired.more_than_chance else "not more than chance"
    few = ", too few to show any but a large difference" if paired.images < _FEW_IMAGES else ""
    return (
        f"{said}; the difference is {chance} at the 5 % level (McNemar, p = {paired.p_value:.2g}), "
        f"on {paired.images} shared test images{few}."
    )


def configuration_differences(a: TrainingConfig, b: TrainingConfig) -> list[Difference]:
    """Return the settings that differ, in the order in which the settings are declared."""
    of_a, of_b = by_dotted_name(a.model_dump(mode="json")), by_dotted_name(b.model_dump(mode="json"))
    names = dict.fromkeys([*of_a, *of_b])
    return [Difference(name, of_a.get(name), of_b.get(name)) for name in names if of_a.get(name) != of_b.get(name)]


def by_dotted_name(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as one level: `{"model": {"alpha": 1}}` becomes `{"model.alpha": 1}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= by_dotted_name(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _test_images_by_digest(rows: Sequence[HeldOutPrediction]) -> dict[str, HeldOutPrediction]:
    return {row.digest: row for row in rows if row.split == "test"}

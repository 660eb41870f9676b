"""What an evaluation found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.manifest import ModelManifest
from trainer.evaluation.calibration import ReliabilityBin
from trainer.evaluation.comparison import SIGNIFICANCE_LEVEL
from trainer.evaluation.numbers_in_words import percent, probability

_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"  # which a console may not have


@dataclass(frozen=True)
class BadImage:
    """An image without a prediction, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class OwnTest:
    """The `metrics` that a version says of its own images, which are `on` test, or validation without a test split.

    `p_value` is the chance of shares at least as different from those found here.
    """

    on: str
    metrics: Mapping[str, Any]
    p_value: float
    note: str = ""


@dataclass(frozen=True)
class VersionEvaluation:
    """How good a version is on the images of a folder; `metrics` as in a run's metrics.json.

    `wrong` are the most confident wrong predictions: file, true class, predicted class, probability.
    `seen_in_training` is None where it is not known.
    """

    folder: Path
    manifest: ModelManifest
    metrics: Mapping[str, Any]
    own: OwnTest | None
    reliability: Sequence[ReliabilityBin]
    wrong: Sequence[tuple[Path, str, str, float]]
    bad: Sequence[BadImage]
    unknown: Mapping[str, int]
    missing: Sequence[str]
    seen_in_training: int | None
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """Return how the accuracy compares with that of the version's own test, as a sentence."""
        return self._verdict().replace(_NO_BREAK_SPACE, " ")

    def _verdict(self) -> str:
        if self.own is None:
            return "There is nothing to compare with."
        here, own = self.metrics["accuracy"], self.own.metrics["accuracy"]
        if self.own.p_value >= SIGNIFICANCE_LEVEL:
            return (
                f"That is not different from the {percent(own)} of its own {self.own.on} by more than chance "
                f"(Fisher's exact test, {probability(self.own.p_value)})."
            )
        worse = "worse" if here < own else "better"
        return (
            f"That is {worse} than the {percent(own)} of its own {self.own.on}, by more than chance (Fisher's exact "
            f"test, {probability(self.own.p_value)}): these images are of another kind, or labelled otherwise."
        )

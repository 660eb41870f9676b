"""What a check has found: a result for each predictor, and the images that broke a bound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from exporter.check.predictor import PredictedBatch, VersionPredictor

MOST_NAMED = 100
"""Broken images that are named of each; of another model, every image of a folder may be one."""

Verdict = Literal["reference", "agrees", "breaks its bound", "no bound"]


@dataclass(frozen=True)
class Breach:
    """An image on which a predictor does not answer as the reference does.

    `difference` is the largest of any probability's, where both answered; `what` says it in words.
    """

    image: str
    kind: Literal["probability", "refusal", "label"]
    difference: float | None
    what: str


@dataclass(frozen=True)
class PredictorResult:
    """A predictor's answers beside the reference's.

    An image's difference is that of its most different probability. Largest, mean and agreement are over the
    `predicted` images, which both answered; None where there are none. `latency_p50_ms` is for one image alone,
    None where it was not measured. `bounds` are those that were applied, that of the fixtures first. `broken`
    images broke theirs, of which `breaches` names the first ones.
    """

    name: str
    verdict: Verdict
    images: int = 0
    predicted: int = 0
    largest_difference: float | None = None
    worst_image: str | None = None
    mean_difference: float | None = None
    top1_agreement: float | None = None
    latency_p50_ms: float | None = None
    bounds: tuple[float, ...] = ()
    broken: int = 0
    breaches: tuple[Breach, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What was checked, what a reader should know of it, and a result for each predictor.

    `images` says how many there were of each kind: fixtures, fixtures given by users, images of a folder.
    """

    name: str
    version: int
    digest: str
    images: dict[str, int]
    rows: tuple[PredictorResult, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no bound was broken."""
        return all(row.broken == 0 for row in self.rows)

    def with_notes(self, notes: Sequence[str]) -> "CheckReport":
        """Return the report with more notes, before its own."""
        return replace(self, notes=(*notes, *self.notes))


@dataclass
class Tally:
    """Collects what one predictor says beside what a reference says, batch by batch; keeps numbers, no images."""

    predictor: VersionPredictor
    class_names: Sequence[str]
    milliseconds: list[float] = field(default_factory=list)
    _images: int = 0
    _agreeing: int = 0
    _differences: list[float] = field(default_factory=list)
    _worst: tuple[float, str] = (-1.0, "")
    _broken: int = 0
    _bounds: list[float] = field(default_factory=list)
    _breaches: list[Breach] = field(default_factory=list)

    def add(self, names: Sequence[str], expected: PredictedBatch, seen: PredictedBatch, bound: float | None) -> None:
        """Compare the answers to N images; a probability that is NaN breaks every bound, even none."""
        if bound is not None and bound not in self._bounds:
            self._bounds.append(bound)
        for row, name in enumerate(names):
            if seen.counts is not None and not seen.counts[row]:
                continue
            self._images += 1
            breaches = [*self._compare_validity(name, expected.valid[row], seen.valid[row])]
            if expected.valid[row] and seen.valid[row]:
                difference = self._compare_probabilities(name, expected.probabilities[row], seen.probabilities[row])
                breaches += _hold_against(bound, name, difference)
            breaches += self._check_label(name, row, seen)
            self._broken += bool(breaches)
            self._breaches += breaches[: MOST_NAMED - len(self._breaches)]

    def result(self) -> PredictorResult:
        """Return the numbers so far."""
        seen = bool(self._differences)
        return PredictorResult(
            name=self.predictor.name,
            verdict=self._verdict(),
            images=self._images,
            predicted=len(self._differences),
            largest_difference=self._worst[0] if seen else None,
            worst_image=self._worst[1] if seen else None,
            mean_difference=float(np.mean(self._differences)) if seen else None,
            top1_agreement=self._agreeing / len(self._differences) if seen else None,
            latency_p50_ms=float(np.median(self.milliseconds)) if self.milliseconds else None,
            bounds=tuple(self._bounds),
            broken=self._broken,
            breaches=tuple(self._breaches),
        )

    def _verdict(self) -> Verdict:
        if self._broken:
            return "breaks its bound"
        if not self._images:
            return "reference"
        return "agrees" if self._bounds else "no bound"

    def _compare_validity(self, name: str, expected: np.bool_, seen: np.bool_) -> list[Breach]:
        if expected == seen:
            return []
        what = "refused, and must be answered" if expected else "answered, and must be refused"
        return [Breach(name, "refusal", None, what)]

    def _compare_probabilities(
        self, name: str, expected: npt.NDArray[np.float32], seen: npt.NDArray[np.float32]
    ) -> float:
        difference = float(np.abs(seen - expected).max())
        self._differences.append(difference)
        self._agreeing += bool(seen.argmax() == expected.argmax())
        if difference > self._worst[0] or math.isnan(difference):
            self._worst = difference, name
        return difference

    def _check_label(self, name: str, row: int, seen: PredictedBatch) -> list[Breach]:
        if seen.labels is None:
            return []
        label, probabilities = seen.labels[row], seen.probabilities[row]
        if not seen.valid[row]:
            return [Breach(name, "label", None, f"refused, and called {label!r}")] if label else []
        right = label in self.class_names and probabilities[self.class_names.index(label)] == probabilities.max()
        likeliest = self.class_names[int(probabilities.argmax())]
        return [] if right else [Breach(name, "label", None, f"called {label!r}, and most probable is {likeliest!r}")]


def _hold_against(bound: float | None, name: str, difference: float) -> list[Breach]:
    if difference <= (math.inf if bound is None else bound):  # which NaN is not
        return []
    return [Breach(name, "probability", difference, f"off by {difference:.2g}")]

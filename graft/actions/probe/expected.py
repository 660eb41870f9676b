"""What a prediction is held against: a label, the version's own fixtures, or what the version predicted first."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from contract.versions import FIXTURES, published_versions
from graft.actions.probe.failure import ProbeFailedError
from graft.actions.probe.sending import ProbedPrediction

_LABELS = "assets/labels.txt"
_REMEMBERED = 8
"""Versions whose first prediction is kept; while one replaces another, both reply."""


@dataclass(frozen=True)
class ProbeFixture:
    """A test image of a published version, and what the trained model predicted for it, by label."""

    version: str
    image: bytes
    probabilities: dict[str, float]


class NoProbeFixtureError(Exception):
    """A model's folder has no fixture to send; the message is one sentence."""


def newest_fixture(base_path: Path) -> ProbeFixture:
    """Return the first image that the newest version in a model's folder predicts.

    Raises:
        NoProbeFixtureError: there is no version, or its fixtures cannot be read.
    """
    numbers = published_versions(base_path)
    if not numbers:
        raise NoProbeFixtureError(f"{base_path} has no published version.")
    version = base_path / str(numbers[-1])
    try:
        entries = json.loads((version / FIXTURES / "expected.json").read_text(encoding="utf-8"))
        entry = next(each for each in entries if each["probabilities"] is not None)
        labels = (version / _LABELS).read_text(encoding="utf-8").splitlines()
        image = (version / FIXTURES / entry["file"]).read_bytes()
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise NoProbeFixtureError(
            f"{version} has no fixture that can be read ({str(error) or 'all of them are refused'})."
        ) from error
    return ProbeFixture(version.name, image, dict(zip(labels, entry["probabilities"], strict=False)))


@dataclass
class ExpectedPredictions:
    """Checks predictions of one model."""

    tolerance: float
    label: str | None = None
    _first: dict[str, ProbedPrediction] = field(default_factory=dict)

    def check(self, found: ProbedPrediction, image: bytes, fixture: ProbeFixture | None) -> str:
        """Return what a prediction was held against; later ones of a version and image have to be like the first.

        Raises:
            ProbeFailedError: it is not.
        """
        if self.label is not None and found.label != self.label:
            raise ProbeFailedError("wrong_prediction", f"{found.label!r} was predicted, not {self.label!r}.")
        if fixture is not None and fixture.version == found.version:
            self._compare(found, fixture.probabilities, "the trained model's")
            return "fixture"
        key = f"{found.version} {found.digest} {hash(image)}"
        if first := self._first.get(key):
            self._compare(found, first.top, "the version's first")
            return "first prediction"
        self._first[key] = found
        while len(self._first) > _REMEMBERED:
            del self._first[next(iter(self._first))]
        return "first prediction"

    def _compare(self, found: ProbedPrediction, expected: dict[str, float], whose: str) -> None:
        """Compare all labels of both; where one has the most likely only, others have the least of them at most."""
        most_missing = min(found.top.values(), default=0.0), min(expected.values(), default=0.0)
        for label in dict.fromkeys([*found.top, *expected]):
            probability, wanted = found.top.get(label), expected.get(label)
            if probability is None:
                probability = min(expected[label], most_missing[0])
            if wanted is None:
                wanted = min(probability, most_missing[1])
            if not abs(probability - wanted) <= self.tolerance:  # not a number is no match either
                raise ProbeFailedError(
                    "wrong_prediction",
                    f"{label!r} has the probability {probability:.4f}, and {whose} prediction had {wanted:.4f}.",
                )

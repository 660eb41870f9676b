"""Distributions of a model's predictions and images on held-out data, with the bucket edges for live traffic."""

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.old_names import READS_OLD_NAMES

Count = Annotated[int, Field(ge=0)]


class Histogram(BaseModel):
    """Counts between edges: bucket i holds values from `edges[i]` up to, but not including, `edges[i + 1]`.

    The first bucket also holds all values below it, and the last one all values from its lower edge on, so that
    every value has a bucket and counts add up to the number of values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    edges: tuple[float, ...] = Field(min_length=2, description="Bounds of the buckets, rising; one more than counts.")
    counts: tuple[Count, ...] = Field(min_length=1, description="Values in each bucket.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} buckets need {len(self.counts) + 1} edges, not {len(self.edges)}")
        if not all(low < high for low, high in pairwise(self.edges)):
            raise ValueError("edges must rise")
        return self

    def index_of(self, value: float) -> int:
        """Return the bucket of `value`; below the first edge that is the first, above the last edge the last.

        Raises:
            ValueError: the value is NaN, which is in no bucket.
        """
        if math.isnan(value):
            raise ValueError("NaN is in no bucket of a histogram")
        return min(max(bisect_right(self.edges, value) - 1, 0), len(self.counts) - 1)

    def shares(self) -> tuple[float, ...]:
        """Return each bucket's share of all values; zeros where there are none."""
        total = sum(self.counts)
        return tuple(count / total if total else 0.0 for count in self.counts)


class ReferenceDistributions(BaseModel):
    """Distributions over held-out images, which the model was not trained on.

    Live traffic in the same buckets can be compared with them, for instance by the population stability index.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", **READS_OLD_NAMES)

    images: int = Field(ge=0, description="How many images were predicted.")
    predicted: dict[str, Count] = Field(description="How often each class was the most probable, by its name.")
    confidence: Histogram = Field(description="Probability of the most probable class, 0 to 1.")
    entropy: Histogram = Field(description="Entropy of the probabilities divided by ln(classes): 0 certain, 1 uniform.")
    size: Histogram = Field(description="Pixels of the image as it was sent: width times height, before resizing.")
    brightness: Histogram = Field(description="Mean of all pixel values of all channels: 0 black, 1 white.")


def normalised_entropy(probabilities: list[float]) -> float:
    """Return the entropy of one prediction divided by ln(classes): 0 to 1 for any number of classes."""
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    return entropy / math.log(len(probabilities))

"""The blessing of a version: what was proved before it was published."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from contract.errors import ContractError


class Rollback(BaseModel):
    """Why a version is the content of an older one under a new number."""

    model_config = ConfigDict(frozen=True)

    to_version: int = Field(description="Whose content it is.")
    from_version: int = Field(description="What was served until then.")
    who: str
    when: AwareDatetime
    why: str


class AcceptedChange(BaseModel):
    """A user's expectation that this version does not meet, and why that was accepted."""

    model_config = ConfigDict(frozen=True)

    file: str
    label: str = Field(description="The label that the image should get.")
    minimal_probability: float
    seen_label: str = Field(description="The label that it gets; empty where the image is rejected.")
    seen_probability: float
    why: str


class RoundingNoise(BaseModel):
    """How far rounding alone moved the trained model's probabilities of the fixtures, on the processor of the export.

    Each is the largest difference of a probability between two ways of computing the same; None where not measured.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    batch: float | None = Field(None, description="One image at a time, against all in one batch.")
    threads: float | None = Field(None, description="On one thread, against as many as there are processors.")
    precision: float | None = Field(None, description="In double precision, against single.")

    @property
    def largest(self) -> float:
        """The largest of those that were measured and are numbers; 0 where none is."""
        measured = (value for value in (self.batch, self.threads, self.precision) if value is not None)
        return max((value for value in measured if math.isfinite(value)), default=0.0)


class Blessing(BaseModel):
    """When a version was checked, and with what result; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    checked: AwareDatetime
    bound: float | None = Field(None, description="The largest accepted difference of a probability.")
    noise: RoundingNoise | None = Field(
        None, description="Of the trained model, which the bound is a multiple of; None where none was measured yet."
    )
    comparisons: list[dict[str, Any]] = Field(description="With the trained model, each with largest_difference.")
    expectations_held: int = Field(0, description="How many of the users' own images were predicted as expected.")
    accepted_changes: tuple[AcceptedChange, ...] = Field(
        (), description="The expectations that were not met, with the reason."
    )
    better_than: dict[str, Any] | None = Field(
        None, description="The comparison with an older version, if one was made."
    )
    without_litert: str | None = Field(
        None, description="Why the version has no LiteRT network; None where it has one, and where none was made yet."
    )
    rollback: Rollback | None = Field(None, description="Only where the version is an older one's content.")

    @property
    def published(self) -> datetime:
        """When the version was published: after its checks, or at the rollback."""
        return self.rollback.when if self.rollback else self.checked

    @property
    def largest_difference(self) -> float | None:
        """The largest difference of any comparison; None where none says."""
        found = [comparison.get("largest_difference") for comparison in self.comparisons]
        return max((value for value in found if isinstance(value, float)), default=None)

    @property
    def why(self) -> str:
        """The reasons of a rollback or of accepted changes; empty without either."""
        reasons = {change.why: [] for change in self.accepted_changes}  # type: dict[str, list[str]]
        for change in self.accepted_changes:
            reasons[change.why].append(f"{change.file} is no longer {change.label}")
        accepted = "; ".join(f"accepted that {', '.join(files)}: {why}" for why, files in reasons.items())
        return self.rollback.why if self.rollback else accepted

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file at `path`.

        Raises:
            ContractError: there is no file, or it does not say what was checked and when.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ContractError(f"{path} does not say what was checked and when; export again.") from error

    def to_json(self) -> str:
        """Return the blessing as indented JSON."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"

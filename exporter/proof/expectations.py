"""What the users of a model expect of some images of their own, in this version and in all that follow.

A folder with `expected.csv` (columns file, label, minimal_probability) and the images beside it, given to an
export, becomes part of the version. The next version of that name must fulfil it too, no matter who exports it.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contract.blessing import AcceptedChange, Blessing
from contract.errors import ContractError
from contract.versions import BLESSING, FIXTURES, published_versions, withdrawn_place, withdrawn_versions
from exporter.errors import ExpectationError, FixtureError
from exporter.saved_model.loading import PredictedImages

GIVEN = f"{FIXTURES}/given"
"""Where in a version they lie."""

EXPECTED = "expected.csv"
_COLUMNS = ["file", "label", "minimal_probability"]


class _ExpectedLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(min_length=1)]
    minimal_probability: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Expectation:
    """An image, the label it must be given, and the least probability of it."""

    file: str
    content: bytes
    label: str
    minimal_probability: float

    def holds(self, label: str, probability: float) -> bool:
        """Whether an answer is as expected."""
        return label == self.label and probability >= self.minimal_probability


def expectations_of(base_path: Path, given: Path | None, *, may_replace: bool) -> list[Expectation]:
    """Return what the next version under `base_path` must fulfil: what the last one had to, and what is `given`.

    The last one is the highest, withdrawn or not, that is not a rollback: a rollback takes nothing back. Where
    `may_replace`, a given expectation takes the place of another one for the same file.

    Raises:
        FixtureError: the given folder cannot be read, or speaks of a file for which something else was expected.
    """
    standing = {expectation.file: expectation for expectation in _standing(base_path)}
    for expectation in read_expectations(given) if given else []:
        before = standing.get(expectation.file)
        if before not in {None, expectation} and not may_replace:
            raise FixtureError(
                f"{given} expects something else of {expectation.file} than the last version did, or of another "
                'image by this name; rename it, or give --accept-change "why".'
            )
        standing[expectation.file] = expectation
    return [standing[file] for file in sorted(standing)]


def read_expectations(folder: Path) -> list[Expectation]:
    """Read `expected.csv` in `folder`, and the images it names.

    Raises:
        FixtureError: it is not there or no such table, or an image is not there.
    """
    path = folder / EXPECTED
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            if sorted(reader.fieldnames or []) != sorted(_COLUMNS):
                raise FixtureError(
                    f"{path} has the columns {', '.join(reader.fieldnames or []) or 'of an empty file'}; "
                    f"give it {', '.join(_COLUMNS)}."
                )
            rows = TypeAdapter(list[_ExpectedLine]).validate_python(list(reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FixtureError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except ValidationError as error:
        line, column, *_ = [*error.errors()[0]["loc"], "row"]
        raise FixtureError(f"{path}, row {int(line) + 1}, {column}: {error.errors()[0]['msg']}.") from error
    return _with_images(folder, rows)


def check_expectations(
    expectations: Sequence[Expectation],
    labels: Sequence[str],
    predict: Callable[[Sequence[bytes]], PredictedImages],
    accept_change: str | None,
) -> tuple[list[Expectation], list[AcceptedChange]]:
    """Return the expectations that hold, and those that do not and whose change was accepted.

    `predict` is the new version, whose classes are `labels`.

    Raises:
        ExpectationError: one does not hold, and no change is accepted.
    """
    held: list[Expectation] = []
    changes: list[AcceptedChange] = []
    predictions = predict([expectation.content for expectation in expectations]) if expectations else None
    for row, expectation in enumerate(expectations):
        assert predictions is not None
        seen, probability = predictions.labels[row], float(predictions.probabilities[row].max())
        if expectation.holds(seen, probability):
            held.append(expectation)
            continue
        changes.append(
            AcceptedChange(
                file=expectation.file,
                label=expectation.label,
                minimal_probability=expectation.minimal_probability,
                seen_label=seen,
                seen_probability=probability,
                why=accept_change or "",
            )
        )
    if changes and accept_change is None:
        raise ExpectationError(_rejection(changes, labels))
    return held, changes


def write_expectations(folder: Path, expectations: Sequence[Expectation]) -> None:
    """Write the images and the table, so that the next version finds them; nothing where there are none."""
    if not expectations:
        return
    folder.mkdir(parents=True)
    with (folder / EXPECTED).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for expectation in expectations:
            writer.writerow([expectation.file, expectation.label, expectation.minimal_probability])
            (folder / expectation.file).write_bytes(expectation.content)


def _standing(base_path: Path) -> list[Expectation]:
    published = {number: base_path / str(number) for number in published_versions(base_path)}
    withdrawn = {number: withdrawn_place(base_path / str(number)) for number in withdrawn_versions(base_path)}
    for _, folder in sorted((published | withdrawn).items(), reverse=True):
        if not _is_rollback(folder):
            return read_expectations(folder / GIVEN) if (folder / GIVEN).is_dir() else []
    return []


def _is_rollback(folder: Path) -> bool:
    try:
        return Blessing.read(folder / BLESSING).rollback is not None
    except ContractError as error:
        raise FixtureError(
            f"{folder} is damaged, so it is not known which images later versions must satisfy; restore it, or "
            "remove the folder."
        ) from error


def _with_images(folder: Path, rows: Sequence[_ExpectedLine]) -> list[Expectation]:
    found: list[Expectation] = []
    for row in rows:
        if PurePath(row.file).name != row.file or row.file == EXPECTED:
            raise FixtureError(f"{folder / EXPECTED} names {row.file!r}; the images must lie beside it.")
        if row.file in {expectation.file for expectation in found}:
            raise FixtureError(f"{folder / EXPECTED} names {row.file} twice; one row an image.")
        try:
            content = (folder / row.file).read_bytes()
        except OSError as error:
            raise FixtureError(
                f"{folder / EXPECTED} names {row.file}, which cannot be read: {error.strerror}."
            ) from error
        found.append(Expectation(row.file, content, row.label, row.minimal_probability))
    return found


def _rejection(changes: Sequence[AcceptedChange], labels: Sequence[str]) -> str:
    first = changes[0]
    did = f"calls it {first.seen_label!r} ({first.seen_probability:.2f})" if first.seen_label else "refuses it"
    known = "" if first.label in labels else f", a class that it does not have (it has {', '.join(labels)})"
    more = f"; {len(changes) - 1} more of the given images are not as expected" if len(changes) > 1 else ""
    return (
        f"{first.file} must be {first.label!r} with at least {first.minimal_probability:g}{known}, and the model "
        f"{did}{more}; nothing was published. Train again, or give --accept-change with the reason."
    )

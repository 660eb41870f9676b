"""Images of the users' own: what a version must make of them, and every version after it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contract.blessing import Blessing, Rollback
from contract.versions import BLESSING, published_versions
from exporter.errors import ExpectationError, FixtureError
from exporter.export import ExportOptions, export
from exporter.proof.expectations import (
    EXPECTED,
    GIVEN,
    Expectation,
    check_expectations,
    expectations_of,
    read_expectations,
    write_expectations,
)
from exporter.saved_model.loading import PredictedImages
from tests.drawn.images import encoded, speckled
from tests.exporter.runs import CLASSES, small_run
from trainer.progress import Progress
from trainer.runs.trained_model import Run, decode_each, predict_decoded

HEADER = "file,label,minimal_probability\n"


NOW = datetime(2026, 11, 21, tzinfo=UTC)


def write_version(folder: Path, expectations: Sequence[Expectation], rollback: Rollback | None = None) -> None:
    """Write what a version keeps of its expectations."""
    (folder / BLESSING).parent.mkdir(parents=True)
    (folder / BLESSING).write_text(Blessing(checked=NOW, comparisons=[], rollback=rollback).to_json())
    write_expectations(folder / GIVEN, expectations)


def given(folder: Path, table: str, *images: str) -> Path:
    """Write a folder of images with a table of what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXPECTED).write_text(table)
    for seed, name in enumerate(images):
        (folder / name).write_bytes(encoded(speckled((200, 60, 40), seed), "PNG"))
    return folder


def predicting(*rows: Sequence[float]) -> Callable[[Sequence[bytes]], PredictedImages]:
    """Return a model that has these probabilities for the images, whatever they are; all zeros is a refusal."""
    probabilities = np.array(rows, np.float32)
    labels = tuple(CLASSES[row.argmax()] if row.any() else "" for row in probabilities)
    return lambda _: PredictedImages(probabilities, labels)


A = Expectation("a.png", b"a", "red", 0.5)
B = Expectation("b.png", b"b", "blue", 0.8)


def test_expectations_come_back_as_they_were_written(tmp_path: Path) -> None:
    """The table and the images of a version are those that were given."""
    write_expectations(tmp_path / "kept", [A, B])
    assert read_expectations(tmp_path / "kept") == [A, B]


def test_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A byte-order mark, other column order and blanks behind commas are what spreadsheets write."""
    table = "\ufefflabel, file, minimal_probability\nred, a.png, 0.5\n"
    (read,) = read_expectations(given(tmp_path / "given", table, "a.png"))
    assert (read.file, read.label, read.minimal_probability) == ("a.png", "red", 0.5)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "has the columns of an empty file; give it file, label, minimal_probability"),
        ("file,label\na.png,red\n", "has the columns file, label; give it"),
        (HEADER + "a.png,red,1.5\n", "row 1, minimal_probability: Input should be less than or equal to 1"),
        (HEADER + "a.png,red,0.5\na.png,,0.5\n", "row 2, label: String should have at least 1 character"),
        (HEADER + "a.png,red,high\n", "row 1, minimal_probability: Input should be a valid number"),
        (HEADER + "a.png,red,0.5,more\n", "row 1"),
        (HEADER + "a.png,red,0.5\na.png,blue,0.5\n", r"names a\.png twice"),
        (HEADER + "../a.png,red,0.5\n", "the images must lie beside it"),
        (HEADER + "gone.png,red,0.5\n", r"names gone\.png, which cannot be read: No such file"),
    ],
)
def test_table_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, table: str, message: str) -> None:
    """What is wrong with the table is said with the file, the row and the column."""
    with pytest.raises(FixtureError, match=message) as caught:
        read_expectations(given(tmp_path / "given", table, "a.png"))
    assert "\n" not in str(caught.value)


def test_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    """A folder that holds no table is refused with the path."""
    with pytest.raises(FixtureError, match=r"expected\.csv cannot be read: No such file"):
        read_expectations(tmp_path)


def test_right_label_with_enough_probability_holds() -> None:
    """The label must be the likeliest one, and its probability at least what is asked."""
    model = predicting([0.2, 0.2, 0.6], [0.8, 0.1, 0.1])
    assert check_expectations([A, B], CLASSES, model, None) == ([A, B], [])


@pytest.mark.parametrize(
    ("row", "did"),
    [
        ([0.6, 0.2, 0.2], r"the model calls it 'blue' \(0\.60\)"),
        ([0.3, 0.3, 0.4], r"the model calls it 'red' \(0\.40\)"),
        ([0.0, 0.0, 0.0], "the model refuses it"),
    ],
)
def test_expectation_that_does_not_hold_is_refused(row: Sequence[float], did: str) -> None:
    """Another label, too little probability or a refusal is said with the image, and what to do."""
    with pytest.raises(ExpectationError, match=rf"^a\.png must be 'red' with at least 0\.5, and {did}; nothing was"):
        check_expectations([A, B], CLASSES, predicting(row, [0.9, 0.1, 0.0]), None)


def test_all_that_fail_are_counted_and_an_unknown_class_is_named() -> None:
    """The first failure is told in full, with the classes there are; the others are counted."""
    unknown = Expectation("c.png", b"c", "tulips", 0.5)
    with pytest.raises(ExpectationError, match=r"tulips.* not have \(it has blue, green, red\).*; 1 more of the given"):
        check_expectations([unknown, B], CLASSES, predicting([1, 0, 0], [0, 1, 0]), None)


def test_accepted_change_gives_the_expectation_up() -> None:
    """With a reason, what does not hold is left out, and the change says what was and what is."""
    held, (change,) = check_expectations([A, B], CLASSES, predicting([0.6, 0.2, 0.2], [0.9, 0.1, 0]), "new camera")
    assert held == [B]
    assert (change.file, change.label, change.seen_label, change.why) == ("a.png", "red", "blue", "new camera")
    assert change.seen_probability == pytest.approx(0.6)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two runs of one name with other weights."""
    folder = tmp_path_factory.mktemp("expectations")
    return small_run(folder / "one"), small_run(folder / "other", seed=9)


def disputed(one: Run, other: Run, folder: Path) -> str:
    """Write an image that both models call the same, and one that they do not; return the rows of the first."""
    drawn = np.random.default_rng(1).integers(0, 256, (60, 3)).tolist()
    images = [encoded(speckled((red, green, blue), 0), "PNG") for red, green, blue in drawn]
    mine, theirs = (
        predict_decoded(
            run.load_model(), run.record.image_input, decode_each(run.record.image_input, images)
        ).probabilities.argmax(axis=1)
        for run in (one, other)
    )
    folder.mkdir()
    chosen = {"same.png": int((mine == theirs).argmax()), "disputed.png": int((mine != theirs).argmax())}
    assert mine[chosen["disputed.png"]] != theirs[chosen["disputed.png"]]
    for name, index in chosen.items():
        (folder / name).write_bytes(images[index])
    return "".join(f"{name},{CLASSES[mine[index]]},0.0\n" for name, index in chosen.items())


@pytest.mark.slow  # three trainings and exports: forty seconds
def test_later_versions_must_fulfil_what_the_first_one_did(runs: tuple[Run, Run], tmp_path: Path) -> None:
    """A second model that answers otherwise is refused, then published with a reason, which the blessing keeps."""
    one, other = runs
    models, base_path = tmp_path / "models", tmp_path / "models" / "colours"
    first = export(one, models, Progress())
    folder = given(tmp_path / "given", HEADER + disputed(one, other, tmp_path / "given"))
    second = export(one, models, Progress(), ExportOptions(given_fixtures=folder))
    assert second.blessing.expectations_held == 2
    assert {path.name for path in (second.folder / GIVEN).iterdir()} == {EXPECTED, "same.png", "disputed.png"}
    assert second.manifest.digest != first.manifest.digest

    with pytest.raises(ExpectationError, match=r"^disputed\.png must be"):
        export(other, models, Progress())
    assert published_versions(base_path) == [1, 2]

    third = export(other, models, Progress(), ExportOptions(accept_change="another camera"))
    written = Blessing.read(third.folder / BLESSING)
    assert [change.file for change in written.accepted_changes] == ["disputed.png"]
    assert written.expectations_held == 1
    assert written.why.startswith("accepted that disputed.png is no longer")
    assert written.why.endswith("another camera")
    assert [kept.file for kept in read_expectations(third.folder / GIVEN)] == ["same.png"]


def test_damaged_version_does_not_lose_its_expectations_in_silence(tmp_path: Path) -> None:
    """Where the last version cannot be read, the export stops, rather than ask less of its successor."""
    (tmp_path / "colours" / "1").mkdir(parents=True)
    with pytest.raises(FixtureError, match=r"colours/1 is damaged, .*; restore it, or remove the folder"):
        expectations_of(tmp_path / "colours", None, may_replace=False)


def test_rollback_takes_no_expectation_back(tmp_path: Path) -> None:
    """After a rollback to a version without them, what the rolled-back version had to fulfil still stands."""
    write_version(tmp_path / "colours" / "1", [])
    write_version(tmp_path / "colours" / ".withdrawn-2", [A])
    rollback = Rollback(to_version=1, from_version=2, who="me", when=NOW, why="it was wrong")
    write_version(tmp_path / "colours" / "3", [], rollback)
    assert expectations_of(tmp_path / "colours", None, may_replace=False) == [A]


def test_given_expectation_joins_or_replaces(tmp_path: Path) -> None:
    """New images join those that stand; one for the same file needs a reason, and then takes its place."""
    write_version(tmp_path / "colours" / "1", [A, B])
    write_expectations(tmp_path / "more", [Expectation("c.png", b"c", "green", 0.1), B])
    joined = expectations_of(tmp_path / "colours", tmp_path / "more", may_replace=False)
    assert [expectation.file for expectation in joined] == ["a.png", "b.png", "c.png"]
    other = Expectation("a.png", b"a", "red", 0.1)
    write_expectations(tmp_path / "other", [other])
    with pytest.raises(FixtureError, match=r"expects something else of a\.png than the last version did"):
        expectations_of(tmp_path / "colours", tmp_path / "other", may_replace=False)
    assert expectations_of(tmp_path / "colours", tmp_path / "other", may_replace=True) == [other, B]

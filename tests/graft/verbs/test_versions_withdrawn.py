"""`graft withdraw`: out of the servers' sight in one step, recorded, and completed where it was interrupted."""

import shutil
from pathlib import Path

import pytest

from contract.versions import next_version, withdraw
from lineage.results import StoredPublication
from tests.fakes.lineage_checks import mismatches
from tests.graft.places import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Versions 1 and 2, recorded in a lineage."""
    return make_place(tmp_path)


def publication(place: Place, version: int) -> StoredPublication:
    with place.lineage() as lineage:
        (only,) = lineage.ancestry_of_version("colours", version).export.publications
        return only


def test_withdrawn_version_is_hidden_and_recorded(place: Place) -> None:
    """Servers see the version before; who and why are in the lineage."""
    said = place.must("withdraw", "models/colours/2/", "--why", "worse on tulips", "--who", "grace")
    assert place.published() == [1]
    assert next_version(place.base_path) == 3
    assert "go back to version 1" in said
    withdrawal = publication(place, 2).withdrawal
    assert withdrawal is not None
    assert (withdrawal.who, withdrawal.why) == ("grace", "worse on tulips")


def test_interrupted_withdrawal_is_completed_by_the_next(place: Place) -> None:
    """After a crash between rename and record the same command records, and moves nothing."""
    withdraw(place.base_path / "2")
    assert publication(place, 2).withdrawal is None
    place.must("withdraw", "models/colours/2", "--why", "worse", "--who", "grace")
    withdrawal = publication(place, 2).withdrawal
    assert withdrawal is not None
    assert withdrawal.why == "worse"
    assert place.published() == [1]
    refused = place.refused("withdraw", "models/colours/2", "--why", "again")
    assert refused.startswith("models/colours/2 was withdrawn already, 20")
    assert refused.endswith(" UTC by grace: worse.")


def test_withdrawal_that_was_only_recorded_is_completed(place: Place) -> None:
    """What `graft lineage withdraw` recorded stays as it is, and the folder goes."""
    place.must("lineage", "withdraw", "models/colours/2", "--why", "worse", "--who", "ada")
    said = place.must("withdraw", "models/colours/2", "--why", "another reason")
    assert "It was recorded as withdrawn already" in said
    assert place.published() == [1]
    withdrawal = publication(place, 2).withdrawal
    assert withdrawal is not None
    assert (withdrawal.who, withdrawal.why) == ("ada", "worse")


def test_only_version_left_is_refused(place: Place) -> None:
    """The last version goes only where that is said."""
    place.must("withdraw", "models/colours/1", "--why", "old")
    refused = place.refused("withdraw", "models/colours/2", "--why", "worse")
    assert refused.endswith("nothing else can be served. --even-the-last withdraws it all the same.")
    assert place.published() == [2]
    assert publication(place, 2).withdrawal is None
    said = place.must("withdraw", "models/colours/2", "--why", "worse", "--even-the-last")
    assert "Nothing is left" in said
    assert place.published() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["models/colours/7", "--why", "x"],
            "There is no version at models/colours/7; published under models/colours: models/colours/2, "
            "models/colours/1.",
        ),
        (
            ["models/roses/1", "--why", "x"],
            "There is no version at models/roses/1; the models are models/colours.",
        ),
        (["models/colours/2", "--why", " "], "Give the reason, which is recorded: --why TEXT."),
        (
            ["models/colours", "--why", "x"],
            "models/colours is a published model, but a version is needed, models/NAME/VERSION; its versions are "
            "models/colours/2, models/colours/1.",
        ),
    ],
)
def test_what_cannot_be_withdrawn_is_one_clear_line(place: Place, arguments: list[str], sentence: str) -> None:
    """Bad input is refused in a sentence, and nothing moves."""
    assert place.refused("withdraw", *arguments) == sentence
    assert place.published() == [1, 2]


def test_lineage_that_cannot_be_read_changes_nothing(place: Place) -> None:
    """Where the record would be lost, nothing is moved."""
    (place.root / "lineage.db").write_text("not a database at all, but a text that is long enough to be taken for one")
    assert "cannot be used" in place.refused("withdraw", "models/colours/2", "--why", "worse")
    assert place.published() == [1, 2]


def test_unknown_version_is_withdrawn_and_recorded_later(tmp_path: Path) -> None:
    """A version that no lineage knows goes at once; after it is recorded the same command adds why it went."""
    place = make_place(tmp_path, recorded=False)
    said = place.must("withdraw", "models/colours/2", "--why", "worse", "--who", "grace")
    assert "There is no lineage here, so it is not recorded" in said
    assert place.published() == [1]
    place.must("lineage", "record", "second")
    place.must("withdraw", "models/colours/2", "--why", "worse", "--who", "grace")
    assert publication(place, 2).withdrawal is not None


def test_damaged_version_can_be_withdrawn(place: Place) -> None:
    """A version whose files are gone is withdrawn and recorded by its place."""
    shutil.rmtree(place.base_path / "2" / "assets.extra")
    place.must("withdraw", "models/colours/2", "--why", "half of it is missing")
    assert place.published() == [1]
    assert publication(place, 2).withdrawal is not None


def test_verify_looks_into_withdrawn_versions(place: Place) -> None:
    """A withdrawn version is not missing, recorded or not yet, and a changed file in it is found."""
    withdraw(place.base_path / "2")
    with place.lineage() as lineage:
        assert mismatches(lineage) == []
    place.must("withdraw", "models/colours/2", "--why", "worse")
    changed = place.base_path / ".withdrawn-2" / "saved_model.pb"
    assert place.must("lineage", "verify").splitlines()[-1].endswith("all as recorded.")
    changed.write_text("another graph")
    with place.lineage() as lineage:
        assert [(found.problem, found.path) for found in mismatches(lineage)] == [("changed", changed)]
    shutil.rmtree(place.base_path / ".withdrawn-2")
    with place.lineage() as lineage:
        assert mismatches(lineage) == []

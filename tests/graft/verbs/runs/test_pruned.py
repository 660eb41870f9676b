"""The verb `runs prune`: it shows what nothing needs, deletes it if asked, and the lineage stays true."""

import json
from pathlib import Path

import pytest

from contract.storage.pruned import pruned_record
from tests.graft.places import Place, make_place
from tests.lineage.made_up_folders import make_run, make_version


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Runs first, second and fourth with a version each, third, which fourth was fine-tuned from, and fifth."""
    place = make_place(tmp_path)
    make_run(tmp_path, "third")
    make_version(tmp_path, make_run(tmp_path, "fourth", parent="third"), 3)
    make_run(tmp_path, "fifth")
    (tmp_path / "runs" / "sixth" / "checkpoint").mkdir(parents=True)
    for run in ("fourth", "fifth"):
        place.must("lineage", "record", run)
    return place


def runs_of(place: Place) -> set[str]:
    return {path.name for path in (place.root / "runs").iterdir() if not path.name.startswith(".")}


def test_without_yes_nothing_is_deleted(place: Place) -> None:
    """The list says which runs would go and what that frees, and why others stay."""
    shown = place.must("runs", "prune", "--keep", "0")
    assert "Kept, needed by published versions (--even-needed deletes these too): first, fourth, second, third" in shown
    assert "fifth" in shown.splitlines()[2]
    assert shown.endswith("1 runs, 0.0 MB. Nothing was deleted; --yes deletes these.\n")
    assert runs_of(place) == {"first", "second", "third", "fourth", "fifth", "sixth"}


def test_what_nothing_needs_is_deleted_and_the_lineage_stays_true(place: Place) -> None:
    """A pruned run is gone, its entry says so, and nothing is reported as missing."""
    assert "Deleted 1 runs, which frees 0.0 MB." in place.must("runs", "prune", "--keep", "0", "--yes")
    assert runs_of(place) == {"first", "second", "third", "fourth", "sixth"}
    verified = place.must("lineage", "verify")
    assert f"gone     run fifth at {place.root}/runs/fifth, which was pruned" in verified
    assert "all as recorded" in verified
    assert json.loads(pruned_record(place.root / "runs" / "fifth").read_text())["id"] == "fifth"
    assert "fifth" not in place.must("runs", "list")
    assert place.must("runs", "prune", "--keep", "0").endswith("There is nothing to prune under runs.\n")


def test_a_run_that_is_gone_without_pruning_is_missing(place: Place) -> None:
    """Only a prune makes a missing run right."""
    (place.root / "runs" / "fifth").rename(place.root / "elsewhere")
    assert "missing: " in place.predict("lineage", "verify").stdout


def test_the_newest_and_the_tagged_stay(place: Place) -> None:
    """By default three runs of a name stay, and every run with a tag."""
    assert "There is nothing to prune" not in place.must("runs", "prune", "--keep", "0")
    assert "There is nothing to prune" in place.must("runs", "prune", "--keep", "5")
    place.must("runs", "tag", "fifth", "best")
    assert "Kept, tagged: fifth" in place.must("runs", "prune", "--keep", "0")
    place.must("runs", "prune", "--keep", "0", "--yes")
    assert "fifth" in runs_of(place)


def test_more_goes_if_it_is_said(place: Place) -> None:
    """Interrupted runs, and runs that published versions need, go with an option of their own."""
    place.must("runs", "prune", "--keep", "0", "--unfinished", "--even-needed", "--yes")
    assert runs_of(place) == set()
    assert "(pruned)" in place.must("lineage", "show", "models/colours/3")
    assert "all as recorded" in place.must("lineage", "verify")


def test_a_version_elsewhere_keeps_its_run(place: Place) -> None:
    """A version whose folder is not under --models is known to the lineage."""
    listed = place.must("runs", "prune", "--keep", "0", "--models", "nowhere").splitlines()
    assert [line.split()[0] for line in listed if line.startswith(("first", "second", "third", "fifth"))] == ["fifth"]


def test_a_damaged_version_stops_it(place: Place) -> None:
    """Where it is not known what a version needs, nothing is deleted."""
    (place.base_path / "3" / "assets.extra" / "manifest.json").write_text("{")
    assert "so nothing is pruned" in place.refused("runs", "prune", "--keep", "0", "--yes")
    assert "fifth" in runs_of(place)

"""`graft rollback`: the content of an older version under the next number, whole and recorded."""

import json
import shutil
from pathlib import Path

import pytest

from contract.blessing import Blessing
from contract.digests import digest_of_file
from contract.manifest import ModelManifest
from contract.publish import read_version
from contract.versions import BLESSING, MANIFEST
from tests.fakes.lineage_checks import mismatches
from tests.graft.places import Place, make_place
from tests.lineage.made_up_folders import make_run, make_version


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Versions 1 and 2, recorded in a lineage."""
    return make_place(tmp_path)


def files_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of_file(path) for path in files}


def test_rollback_publishes_the_version_before(place: Place) -> None:
    """The new version has the files and the digest of the old one, its own number, and the blessing says why."""
    said = place.must("rollback", "models/colours", "--why", "2 is worse", "--who", "grace")
    assert "Published models/colours/3 with the content of version 1, in the place of version 2" in said
    assert place.published() == [1, 2, 3]
    old, new = files_of(place.base_path / "1"), files_of(place.base_path / "3")
    assert {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} == {MANIFEST, BLESSING}
    manifest, before = read_version(place.base_path / "3"), read_version(place.base_path / "1")
    assert manifest == before.model_copy(update={"version": 3})
    blessing = Blessing.read(place.base_path / "3" / BLESSING)
    assert blessing.rollback is not None
    assert (blessing.rollback.to_version, blessing.rollback.from_version) == (1, 2)
    assert (blessing.rollback.who, blessing.rollback.why) == ("grace", "2 is worse")
    assert blessing.comparisons == Blessing.read(place.base_path / "1" / BLESSING).comparisons


def test_rollback_is_recorded_as_an_export_of_the_same_run(place: Place) -> None:
    """The lineage has the new version with its run and the reason, and verifies it."""
    place.must("rollback", "models/colours", "--why", "2 is worse", "--who", "grace")
    with place.lineage() as lineage:
        ancestry = lineage.ancestry_of_version("colours", 3)
        assert mismatches(lineage) == []
    assert ancestry.runs[0].record.id == "first"
    (publication,) = ancestry.export.publications
    assert (publication.record.who, publication.record.why) == ("grace", "rollback to version 1: 2 is worse")


def test_versions_show_a_rollback(place: Place) -> None:
    """The table says whose content the newest version has, and when it was published again."""
    place.must("rollback", "models/colours", "--why", "2 is worse")
    assert place.must("versions", "models/colours").splitlines()[-1].endswith("served, content of 1")
    newest = json.loads(place.must("versions", "models/colours", "--json"))[-1]
    assert newest["copy_of"] == 1
    assert newest["published"] != "2026-11-21T13:00:00Z"  # which is when the content was published first


def test_number_is_above_withdrawn_ones(place: Place) -> None:
    """After the newest was withdrawn a rollback goes to the one before the newest left, above every number given."""
    make_version(place.root, make_run(place.root, "third"), 3)
    place.must("withdraw", "models/colours/3", "--why", "broken")
    place.must("rollback", "models/colours", "--why", "2 is worse")
    assert place.published() == [1, 2, 4]
    assert read_version(place.base_path / "4").run == "first"


def test_second_rollback_must_say_where_to(place: Place) -> None:
    """The same command twice does not bring back what was rolled back; a version that is named is published."""
    place.must("rollback", "models/colours", "--why", "2 is worse")
    refused = place.refused("rollback", "models/colours", "--why", "2 is worse")
    assert refused.startswith("Version 3 is a rollback to version 1 already; say with --to which version is meant;")
    assert place.published() == [1, 2, 3]
    place.must("rollback", "models/colours", "--to", "2", "--why", "2 is better after all")
    assert read_version(place.base_path / "4").run == "second"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["models/colours", "--to", "7"],
            "There is no version 7 under models/colours; published under models/colours: 1, 2.",
        ),
        (
            ["models/colours", "--to", "2"],
            "Version 2 is the one that is served already; published under models/colours: 1, 2.",
        ),
        (["models/roses"], "There is no model at models/roses; the models are models/colours."),
    ],
)
def test_what_cannot_be_rolled_back_is_one_clear_line(place: Place, arguments: list[str], sentence: str) -> None:
    """Bad input is refused in a sentence, and nothing appears."""
    assert place.refused("rollback", *arguments, "--why", "x") == sentence
    assert place.published() == [1, 2]


def test_withdrawn_version_is_no_target(place: Place) -> None:
    """What was taken back is not published again under another number, and there may be nothing to go back to."""
    place.must("withdraw", "models/colours/1", "--why", "wrong labels")
    refused = place.refused("rollback", "models/colours", "--to", "1", "--why", "x")
    assert refused.startswith("Version 1 was withdrawn, so it is not published again;")
    refused = place.refused("rollback", "models/colours", "--why", "x")
    assert refused == "There is no version before 2 under models/colours to go back to."


def test_damaged_version_is_no_target(place: Place) -> None:
    """A version whose files are not those of its manifest is not published again, and leaves nothing."""
    (place.base_path / "1" / "saved_model.pb").write_text("another graph")
    refused = place.refused("rollback", "models/colours", "--why", "x")
    assert refused.startswith("The files of models/colours/1 do not have the digest in its manifest;")
    assert sorted(path.name for path in place.base_path.iterdir()) == ["1", "2"]


def test_damaged_newest_version_is_a_reason_to_go_back(place: Place) -> None:
    """The version that is rolled back need not be readable."""
    shutil.rmtree(place.base_path / "2" / "assets.extra")
    place.must("rollback", "models/colours", "--why", "half of it is missing")
    assert ModelManifest.read(place.base_path / "3" / MANIFEST).run == "first"


def test_rollback_without_lineage_says_how_to_record_it(tmp_path: Path) -> None:
    """A version that no lineage knows is published, and can be recorded later with when it was published."""
    place = make_place(tmp_path, recorded=False)
    said = place.must("rollback", "models/colours", "--why", "2 is worse")
    assert "There is no lineage here, so it is not recorded" in said
    place.must("lineage", "record", "first")
    rollback = Blessing.read(place.base_path / "3" / BLESSING).rollback
    with place.lineage() as lineage:
        (publication,) = lineage.ancestry_of_version("colours", 3).export.publications
    assert rollback is not None
    assert publication.record.when == rollback.when

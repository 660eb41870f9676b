"""`graft versions`: a row for each version, whatever state its folder is in."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.manifest import ModelManifest
from contract.versions import BLESSING, MANIFEST
from tests.graft.places import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Versions 1 and 2, recorded in a lineage."""
    return make_place(tmp_path)


def listed(place: Place) -> dict[int, dict[str, Any]]:
    return {row["version"]: row for row in json.loads(place.must("versions", "models/colours", "--json"))}


def rewrite_manifest(folder: Path, **changes: Any) -> None:
    manifest = ModelManifest.read(folder / MANIFEST)
    (folder / MANIFEST).write_text(manifest.model_copy(update=changes).to_json())


def test_each_version_has_its_row(place: Place) -> None:
    """A row tells when, how good, what was proved, how large, which content and which run; the newest is marked."""
    rewrite_manifest(place.base_path / "2", metrics={"test": {"accuracy": 0.9, "accuracy_interval": [0.85, 0.95]}})
    manifest = ModelManifest.read(place.base_path / "2" / MANIFEST)
    lines = place.must("versions", "models/colours").splitlines()
    assert lines[0].split() == [
        "version",
        "published",
        "accuracy",
        "95",
        "%",
        "interval",
        "blessing",
        "MB",
        "digest",
        "run",
    ]
    assert "served" not in lines[1]
    for part in (
        "2026-11-21 13:00",
        "90.0 %",
        "85.0 % to 95.0 %",
        "1.2e-07",
        manifest.digest[7:19],
        "second",
        "served",
    ):
        assert part in lines[2]
    assert len(lines) == 3


def test_json_has_everything(place: Place) -> None:
    """`--json` has full digests, bytes and states."""
    found = listed(place)
    files = [path for path in (place.base_path / "1").rglob("*") if path.is_file()]
    assert found[1]["size_bytes"] == sum(path.stat().st_size for path in files)
    assert found[1]["digest"] == ModelManifest.read(place.base_path / "1" / MANIFEST).digest
    assert [found[number]["state"] for number in (1, 2)] == ["published", "newest"]
    assert (found[1]["accuracy"], found[1]["run"], found[1]["problem"]) == (0.875, "first", None)


def test_blessing_within_its_bound_has_passed(place: Place) -> None:
    """A blessing's largest difference is held against its own bound."""
    for number, bound in ((1, 1e-5), (2, 1e-8)):
        path = place.base_path / str(number) / BLESSING
        path.write_text(json.dumps(json.loads(path.read_text()) | {"bound": bound}))
    shown = place.must("versions", "models/colours").splitlines()
    assert "passed, 1.2e-07" in shown[1]
    assert "failed, 1.2e-07" in shown[2]


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (MANIFEST, None, "No model manifest can be read at"),
        (MANIFEST, "{", "is not a model manifest"),
        (BLESSING, "[]", "does not say what was checked and when"),
        ("saved_model.pb", None, "There is no saved_model.pb in it."),
    ],
)
def test_damaged_version_is_shown_with_what_is_wrong(place: Place, file: str, content: str | None, told: str) -> None:
    """A version with a missing or unreadable file is in the table, and below it stands why."""
    path = place.base_path / "2" / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    shown = place.must("versions", "models/colours")
    assert "newest, damaged" in shown
    assert "served" not in shown
    assert told in shown.splitlines()[-1]
    assert told in listed(place)[2]["problem"]


def test_version_in_another_ones_folder_is_shown_as_such(place: Place) -> None:
    """A folder that was copied by hand does not pass for the number it was given."""
    rewrite_manifest(place.base_path / "2", version=1)
    assert listed(place)[2]["problem"] == "Its manifest is that of version 1."


def test_version_without_blessing_has_none(place: Place) -> None:
    """A version that nobody checked is no damaged one, and has no blessing."""
    (place.base_path / "1" / BLESSING).unlink()
    row = place.must("versions", "models/colours").splitlines()[1]
    assert "none" in row
    assert listed(place)[1]["problem"] is None


def test_withdrawn_versions_come_last_with_who_and_why(place: Place) -> None:
    """A withdrawn version is below the others, and the lineage tells who took it back, when and why."""
    place.must("withdraw", "models/colours/2", "--why", "calls [red] things blue", "--who", "grace")
    lines = [line.rstrip() for line in place.must("versions", "models/colours").splitlines()]
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert lines[1].endswith("served")
    assert lines[2].endswith("withdrawn")
    assert lines[3].startswith("Version 2 was withdrawn 20")
    assert lines[3].endswith(" UTC by grace: calls [red] things blue")
    assert listed(place)[2]["withdrawal"]["who"] == "grace"


def test_withdrawal_that_is_only_recorded_is_told(place: Place) -> None:
    """A version that the lineage has as withdrawn, and that servers still see, is marked so."""
    place.must("lineage", "withdraw", "models/colours/2", "--why", "worse")
    last = place.must("versions", "models/colours").splitlines()[-1]
    assert last.endswith(": worse; its folder is still there: graft withdraw takes it away")


def test_lineage_is_not_needed(tmp_path: Path) -> None:
    """Without a lineage the versions are shown all the same, and none is made."""
    place = make_place(tmp_path, recorded=False)
    assert len(place.must("versions", "models/colours").splitlines()) == 3
    place.must("withdraw", "models/colours/2", "--why", "worse")
    assert "There is no lineage at" in place.must("versions", "models/colours").splitlines()[-1]
    assert not (tmp_path / "lineage.db").exists()


def test_folder_without_versions_is_one_sentence(tmp_path: Path) -> None:
    """A model without versions says so; a folder that is not there is bad input."""
    (tmp_path / "models" / "colours").mkdir(parents=True)
    place = Place(tmp_path)
    said = place.must("versions", "models/colours")
    assert said == "There are no versions under models/colours; graft export makes one.\n"
    (tmp_path / "photos" / "daisy").mkdir(parents=True)
    assert place.refused("versions", "photos").startswith("photos is a folder, but a model is needed, models/NAME;")
    assert place.refused("versions", "models/roses") == "There is no model at models/roses; give models/NAME."

"""From a served version back to its data, base and code, and from its weights to the version."""

import json

from tests.end_to_end.command import must
from tests.end_to_end.conftest import Trained


def test_version_names_its_whole_ancestry(colours: Trained) -> None:
    """What train and export recorded tells of a version's run, data set and base; the manifest names the same run."""
    shown = json.loads(must("lineage", "show", colours.models / "colours" / "1", "--json"))
    text = json.dumps(shown)
    manifest = json.loads((colours.models / "colours" / "1" / "assets.extra" / "manifest.json").read_text())
    assert manifest["run"] == colours.record["id"]
    for known in (
        manifest["digest"],
        colours.record["dataset_digest"],
        colours.record["weights_digest"],
        manifest["run"],
    ):
        assert known in text


def test_weights_lead_to_the_version(colours: Trained) -> None:
    """The digest of a run's weights, or its first digits, leads to the version that serves them."""
    digest = colours.record["weights_digest"].removeprefix("sha256:")[:12]
    found = must("lineage", "find", "--weights-digest", digest)
    assert colours.record["id"] in found
    assert "colours/1" in found


def test_manifest_carries_temperature_and_reference(colours: Trained) -> None:
    """A version says by which temperature it was calibrated, and how answers looked on held-out images."""
    manifest = json.loads((colours.models / "colours" / "1" / "assets.extra" / "manifest.json").read_text())
    assert manifest["schema_version"] == "2.1"
    assert manifest["temperature"] == colours.record["temperature"] > 0
    assert manifest["reference"]["images"] == colours.record["images"]["test"]
    assert "confusion" not in manifest["metrics"]["test"]

"""What older versions of Graft published is still read: the files beside this test are theirs, as they wrote them.

The files keep the names that they were written with; nobody renames anything in them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.blessing import Blessing
from contract.manifest import ModelManifest
from exporter.tflite.records import MobileBundle

FILES = Path(__file__).parent / "published_before"


def content_of(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FILES / name).read_text())
    return content


def values_in(content: Any) -> list[str]:
    """Return every single value in a document, in order, whatever the fields are called."""
    if isinstance(content, dict):
        return [value for each in content.values() for value in values_in(each)]
    if isinstance(content, list):
        return [value for each in content for value in values_in(each)]
    return [str(content)]


def test_a_manifest_is_read_with_all_it_says() -> None:
    """Labels, input, reference distributions and origin are what stands in the file."""
    manifest = ModelManifest.read(FILES / "manifest.json")
    assert (manifest.name, manifest.version, manifest.labels) == ("colours", 1, ("blue", "green", "red"))
    assert manifest.reference is not None
    assert sum(manifest.reference.predicted.values()) == 9
    assert values_in(json.loads(manifest.to_json())) == values_in(content_of("manifest.json"))


def test_a_blessing_is_read_with_all_it_says() -> None:
    """Comparisons, accepted changes and the rollback are what stands in the file."""
    blessing = Blessing.read(FILES / "blessing.json")
    assert blessing.largest_difference == pytest.approx(8.9e-8, rel=0.01)
    assert blessing.rollback is not None
    assert (blessing.rollback.who, blessing.why) == ("ada", "2 is worse")
    assert [change.seen_label for change in blessing.accepted_changes] == ["red"]
    assert len(blessing.comparisons) == 5


def test_a_bundle_is_read_with_all_it_says() -> None:
    """Every value of the bundle is read, under whatever name it is kept now."""
    bundle = MobileBundle.read(FILES)
    assert [record.variant for record in bundle.written] == ["float32", "dynamic"]
    assert [refused.variant for refused in bundle.refused] == ["int8", "int16x8"]
    assert values_in(json.loads(bundle.to_json())) == values_in(content_of("bundle.json"))

"""The manifest: what is written is read back, and what is not understood is refused in one sentence."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract.errors import ContractError
from contract.image_input import ImageInput
from contract.manifest import SCHEMA_VERSION, BaseWeights, ModelManifest, ServingTarget, SignatureSpec, SignatureTensor


def manifest(**changes: Any) -> ModelManifest:
    values: dict[str, Any] = {
        "name": "flowers",
        "version": 3,
        "created": datetime(2026, 11, 21, 5, 0, tzinfo=UTC),
        "labels": ("daisy", "rose"),
        "image_input": ImageInput(height=96, width=64, scale=1 / 127.5, offset=-1.0),
        "signatures": {
            "serving_default": SignatureSpec(
                inputs={"image_bytes": SignatureTensor(dtype="string", shape=(None,))},
                outputs={"probabilities": SignatureTensor(dtype="float32", shape=(None, 2))},
            )
        },
        "architecture": "mobilenet_v2",
        "base_weights": BaseWeights(source="none", digest=None),
        "dataset_digest": "sha256:00",
        "code_version": "0.1.0",
        "training_configuration": {"seed": 1, "model": {"alpha": 0.35}},
        "metrics": {"test": {"accuracy": 0.9}},
        "run": "20261121-050000-flowers",
        "digest": "sha256:11",
    }
    return ModelManifest(**(values | changes))


def written_with(**changes: Any) -> str:
    return json.dumps(json.loads(manifest().to_json()) | changes)


def test_read_returns_what_was_written(tmp_path: Path) -> None:
    """A manifest read from its file equals the one that was written, unknown sizes included."""
    (tmp_path / "manifest.json").write_text(manifest().to_json())
    found = ModelManifest.read(tmp_path / "manifest.json")
    assert found == manifest()
    assert found.signatures["serving_default"].outputs["probabilities"].shape == (None, 2)


def test_same_values_have_the_same_text() -> None:
    """Two manifests of the same values are written with the same bytes, and read and written again too."""
    assert manifest().to_json() == manifest().to_json()
    assert ModelManifest.from_json(manifest().to_json(), where="here").to_json() == manifest().to_json()


def test_unknown_major_is_refused_with_both_versions() -> None:
    """A manifest of another major schema is refused, naming its version and those that are known."""
    with pytest.raises(
        ContractError, match=r"here has manifest schema 3\.0; this version of Graft reads 1\.x and 2\.x\."
    ):
        ModelManifest.from_json(written_with(schema_version="3.0"), where="here")


def test_unknown_minor_is_read_and_its_fields_are_kept() -> None:
    """A newer minor schema is read, and a field that it added is passed on."""
    newer = ModelManifest.from_json(written_with(schema_version="2.7", temperature=1.25), where="here")
    passed_on = json.loads(newer.to_json())
    assert (passed_on["schema_version"], passed_on["temperature"]) == ("2.7", 1.25)


def test_current_schema_is_written() -> None:
    """A new manifest carries the schema version of this code."""
    assert json.loads(manifest().to_json())["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"labels": ["only"]}, "labels"),
        ({"version": 0}, "version"),
        ({"image_input": {"height": 96, "width": 64, "crop": True}}, "image_input.crop"),
    ],
)
def test_value_that_does_not_fit_is_named(change: dict[str, Any], field: str) -> None:
    """A field that does not fit is refused by its dotted name."""
    with pytest.raises(ContractError, match=rf"^here is not a model manifest: {field}: .*\.$"):
        ModelManifest.from_json(written_with(**change), where="here")


@pytest.mark.parametrize("text", ["", "{", "[]", "\ufeff{}", "null"])
def test_text_that_is_no_manifest_is_refused_in_one_sentence(text: str) -> None:
    """Text that is not JSON, or not an object, is refused in one line that says where it came from."""
    with pytest.raises(ContractError, match=r"^here is not a model manifest: ") as caught:
        ModelManifest.from_json(text, where="here")
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A manifest that is not there is refused with its path and the system's reason."""
    path = tmp_path / "manifest.json"
    with pytest.raises(ContractError) as caught:
        ModelManifest.read(path)
    assert str(caught.value) == f"No model manifest can be read at {path}: No such file or directory."


def test_error_of_a_file_names_the_file(tmp_path: Path) -> None:
    """A broken manifest file is refused with its path."""
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContractError, match="is not a model manifest") as caught:
        ModelManifest.read(path)
    assert str(path) in str(caught.value)


def test_manifest_is_frozen() -> None:
    """A manifest cannot be changed."""
    with pytest.raises(ValueError, match="frozen"):
        manifest().version = 4  # type: ignore[misc]


def test_older_manifests_name_no_target() -> None:
    """Without a target, every kind of image that the graph decodes may be sent; with one, those that both decode."""
    older = json.loads(written_with(schema_version="2.0"))
    assert "target" not in older
    read = ModelManifest.from_json(json.dumps(older), where="here")
    assert read.target is None
    assert read.encodings == read.image_input.encodings == ("jpeg", "png", "bmp", "webp")
    target = ServingTarget(server="a server", encodings=("bmp", "jpeg"))
    assert read.model_copy(update={"target": target}).encodings == ("jpeg", "bmp")

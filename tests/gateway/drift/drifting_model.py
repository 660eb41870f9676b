"""A model of the fake model server that knows how its answers looked, and images to ask it about."""

import base64
from collections.abc import Sequence
from typing import Any

import httpx

from contract.manifest import ModelManifest
from tests.fakes.made_up_predictions import LABELS, brightness_for, label_for, manifest_for, probabilities_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.drift.references import image_of, reference_of
from tests.gateway.metric_values import read_metrics

WINDOW, LEAST = 120, 100
SETTINGS: dict[str, Any] = {"drift_window": WINDOW, "drift_least_images": LEAST, "max_images": 200}
FEATURES = ("class", "confidence", "brightness", "size")

_TESTED = range(100_000, 100_300)
_PIXELS = 64


def publish(server: FakeModelServer, version: int = 1, model: str = "flowers", **changed: Any) -> ModelManifest:
    """Serve a version with a reference of 300 images; `changed` are fields of its manifest."""
    images = [marked_image(number=number) for number in _TESTED]
    replied = [
        image_of(label_for(each), max(probabilities_for(each, len(LABELS))), _PIXELS, brightness_for(each))
        for each in images
    ]
    described = {"reference": reference_of(replied, LABELS), **changed}
    manifest = manifest_for(model, version).model_copy(update=described)
    server.publish(model, version, manifest=manifest.to_json().encode())
    return manifest


def send(gateway: httpx.Client, numbers: Sequence[int], mark: str = "", path: str = "/v1/predict") -> None:
    """Ask about an image for each number, in one request; all are answered."""
    images = [{"b64": base64.b64encode(marked_image(mark, number)).decode()} for number in numbers]
    response = gateway.post(path, json={"images": images})
    assert response.status_code == 200
    assert all("label" in entry for entry in response.json()["predictions"])


def drift_of(gateway: httpx.Client, query: str = "") -> dict[str, Any]:
    """Return what the gateway says of the drift of `flowers`."""
    said: dict[str, Any] = gateway.get(f"/v1/models/flowers/drift{query}").raise_for_status().json()
    return said


def only_version(gateway: httpx.Client) -> dict[str, Any]:
    """Return what it says of the one version there is."""
    (version,) = drift_of(gateway)["versions"]
    assert isinstance(version, dict)
    return version


def series(gateway: httpx.Client, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a drift gauge by version and feature."""
    return {
        tuple(dict(labels)[key] for key in ("version", "feature") if key in dict(labels)): value
        for (found, labels), value in read_metrics(gateway).items()
        if found == f"graft_gateway_drift_{name}"
    }

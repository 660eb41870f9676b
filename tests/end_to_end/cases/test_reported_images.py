"""Images that people reported, as phones and cameras write them: the served graph sees what a viewer shows."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.end_to_end.command import Service, started
from tests.end_to_end.conftest import SERVED, Trained
from tests.trainer.tracing import decoded

IMAGE = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def service(colours: Trained) -> Iterator[Service]:
    """Serve the model of colours without batching, with which a graph gives no pixels of a single image."""
    up = ("up", "--models", colours.models, "--engine", "litert", "--no-batching", "--port", "0")
    with started(*up, announces=SERVED) as running:
        yield running


def test_an_orientation_behind_50_kb_of_xmp_is_seen(cases: Path, service: Service) -> None:
    """Segments may come in any order: both files are the same image."""
    folder = cases / "exif-behind-xmp-50k"
    behind, first = (folder / name for name in ("exif6_after_xmpext_50k.jpg", "exif6_normal.jpg"))
    assert served_pixels(service, behind) == served_pixels(service, first)


def test_a_doubled_exif_prefix_is_skipped(cases: Path, service: Service) -> None:
    """Viewers turn an image whose EXIF segment begins with its prefix twice: it is that of one prefix."""
    doubled = cases / "exif-double-prefix" / "exif6_double_prefix.jpg"
    normal = cases / "exif-behind-xmp-50k" / "exif6_normal.jpg"
    assert served_pixels(service, doubled) == served_pixels(service, normal)


def test_cmyk_without_its_marker_reads_as_with_it_or_is_refused(cases: Path, service: Service) -> None:
    """Pillow and ImageMagick read both files alike; the other way round it would be a black image."""
    folder = cases / "cmyk-without-adobe-marker"
    marked, without = (folder / name for name in ("cmyk_adobe.jpg", "cmyk_no_adobe_marker.jpg"))
    with service.client() as client:
        sent = client.post("/v1/predict", content=without.read_bytes(), headers=IMAGE)
    if sent.status_code == httpx.codes.OK:
        assert served_pixels(service, without) == served_pixels(service, marked)
    else:
        assert sent.status_code in {415, 422}
        assert "CMYK" in sent.json()["detail"]


def test_a_whole_panorama_without_end_marker_is_predicted(cases: Path, service: Service) -> None:
    """Nothing is missing but the marker: viewers show it whole."""
    content = (cases / "panorama-without-end-marker" / "samsung_no_eoi_trailer.jpg").read_bytes()
    with service.client() as client:
        predicted = client.post("/v1/predict", content=content, headers=IMAGE)
    assert predicted.status_code == 200, predicted.text
    assert "label" in predicted.json()["predictions"][0]


def test_base64_in_an_open_inference_tensor_is_no_empty_prediction(cases: Path, service: Service) -> None:
    """Text can never be an image: it is refused with what to send, or taken for the base64 that it is."""
    content = (cases / "oip-base64-in-json" / "plain.jpg").read_bytes()
    text = base64.b64encode(content).decode()
    tensor = {"name": "image_bytes", "shape": [1], "datatype": "BYTES", "data": [text]}
    with service.client() as client:
        sent = client.post("/v2/models/colours/infer", json={"inputs": [tensor]})
        as_image = client.post("/v1/predict", content=content, headers=IMAGE).json()["predictions"][0]
    if sent.status_code == httpx.codes.OK:
        outputs = {each["name"]: each["data"] for each in sent.json()["outputs"]}
        assert outputs["valid"] == [True]
        assert outputs["label"] == [as_image["label"]]
    else:
        assert sent.status_code in {400, 415, 422}
        assert "base64" in sent.json()["error"]


def test_a_webp_photo_is_turned_in_training(cases: Path) -> None:
    """Browsers, Pillow and sharp turn a WebP by the orientation in its EXIF chunk."""
    lying = Image.open(cases / "webp-exif-orientation" / "ref_lying.png").convert("RGB")
    upright = np.asarray(lying.transpose(Image.Transpose.ROTATE_270))
    content = (cases / "webp-exif-orientation" / "exif6.webp").read_bytes()
    batch = decoded([content], ImageInput(height=upright.shape[0], width=upright.shape[1]))
    np.testing.assert_array_equal(batch.pixels.numpy()[0], upright)


def served_pixels(service: Service, file: Path) -> Any:
    """Return what the served graph sees of an image."""
    content = {"b64": base64.b64encode(file.read_bytes()).decode()}
    wanted = {"signature_name": "pixels_of_image", "inputs": {"image_bytes": content}}
    with service.client() as client:
        response = client.post("/v1/models/colours:predict", json=wanted)
    assert response.status_code == 200, response.text
    outputs = response.json()["outputs"]
    return outputs["pixels"] if isinstance(outputs, dict) else outputs

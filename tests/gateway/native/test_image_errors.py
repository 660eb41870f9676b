"""What is no acceptable image is refused in words that say what was seen."""

import httpx
import pytest

from contract.manifest import ServingTarget
from gateway.http.error_table import TABLE
from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.gateway.images import draw, draw_animation, draw_bmp_with_fields, with_thumbnail

GATEWAY_TYPES = {"Content-Type": "application/octet-stream"}


@pytest.mark.parametrize(
    ("content", "code", "seen"),
    [
        (b"", "not_an_image", "0 bytes"),
        (b"%PDF-1.7 and so on", "not_an_image", "application/pdf"),
        ("Grüße an alle, ".encode() * 100, "not_an_image", "text"),
        (bytes(range(256)), "not_an_image", "data of an unknown type"),
        (b"\xff\xfe\xfd no utf-8", "not_an_image", "data of an unknown type"),
        (draw("GIF"), "unsupported_image", "a GIF, which is not accepted because"),
        (draw("TIFF"), "unsupported_image", "image/tiff"),
        (draw("BMP", mode="P"), "unsupported_image", "a BMP with a palette"),
        (draw("BMP", mode="1"), "unsupported_image", "a BMP with a palette"),
        (draw_bmp_with_fields((0xFF, 0xFF00, 0xFF0000)), "unsupported_image", "unusual bit fields"),
        (draw_animation("WEBP"), "unsupported_image", "an animated WebP"),
        (b"RIFF0000WEBPVP8X", "truncated_image", "its header gives no size"),
        (draw("JPEG")[:-2], "truncated_image", "JPEG is cut short"),
        (draw("PNG")[:-1], "truncated_image", "PNG is cut short"),
        (draw("WEBP")[:-1], "truncated_image", "WebP is cut short"),
        (draw("BMP")[:-1], "truncated_image", "BMP is cut short"),
        (draw("JPEG")[:20], "truncated_image", "its header gives no size"),
        (with_thumbnail(draw("JPEG"))[:-2], "truncated_image", "JPEG is cut short"),
        (with_thumbnail(with_thumbnail(draw("JPEG")))[:-20], "truncated_image", "JPEG is cut short"),
    ],
)
def test_what_was_seen_is_said(
    own_gateway: httpx.Client, model_server: FakeModelServer, content: bytes, code: str, seen: str
) -> None:
    """A file that is no image, of a kind that is not accepted, or cut short is refused with what it is, uncalled."""
    called = len(model_server.predict_requests)
    response = own_gateway.post("/v1/predict", content=content, headers=GATEWAY_TYPES)
    assert response.status_code == (422 if code == "truncated_image" else 415)
    assert response.json()["code"] == code
    assert seen in response.json()["detail"]
    assert len(model_server.predict_requests) == called


def test_an_image_with_a_thumbnail_is_whole_if_it_ends(gateway: httpx.Client) -> None:
    """Its own end counts, also with bytes behind it; the one of its thumbnail does not."""
    for image in (with_thumbnail(draw("JPEG")), with_thumbnail(draw("JPEG")) + b"trailer"):
        assert gateway.post("/v1/predict", content=image).status_code == 200


@pytest.fixture
def decodes_without_end(model_server: FakeModelServer) -> FakeModelServer:
    """The fake model server with a version 2 whose graph decodes a JPEG that lacks nothing but its end marker."""
    described = manifest_for("flowers", 2).model_copy(update={"jpeg_without_end": True})
    model_server.publish("flowers", 2, manifest=described.to_json().encode())
    return model_server


def test_the_graph_decides_whether_only_the_end_is_missing(
    own_gateway: httpx.Client, decodes_without_end: FakeModelServer
) -> None:
    """A JPEG without end marker is predicted if the graph decodes it; if not, it is cut short, not damaged."""
    whole = own_gateway.post("/v1/predict?version=2", content=draw("JPEG")[:-2] + b"a maker's trailer")
    assert whole.status_code == 200
    cut = own_gateway.post("/v1/predict?version=2", content=draw("JPEG")[:-2] + b"BROKEN")
    assert (cut.status_code, cut.json()["code"]) == (422, "truncated_image")
    assert "JPEG is cut short: it ends after" in cut.json()["detail"]
    damaged = own_gateway.post("/v1/predict?version=2", content=draw(mark=b"BROKEN"))
    assert damaged.json()["code"] == "undecodable_image"
    assert decodes_without_end.predict_requests


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "JPEG"])
def test_other_cut_images_are_not_sent(
    own_gateway: httpx.Client, decodes_without_end: FakeModelServer, kind: str
) -> None:
    """What has no pixels, or is of another kind, is refused without a call as before."""
    content = draw(kind)[:-1] if kind != "JPEG" else draw(kind).partition(b"\xff\xda")[0]
    decodes_without_end.calls.forget()
    response = own_gateway.post("/v1/predict?version=2", content=content)
    assert (response.status_code, response.json()["code"]) == (422, "truncated_image")
    assert decodes_without_end.calls.count() == 0


def test_usual_bit_fields_are_accepted(gateway: httpx.Client) -> None:
    """A BMP of 32 bits that only spells out the usual order of its channels is an image like any other."""
    image = draw_bmp_with_fields((0xFF0000, 0xFF00, 0xFF))
    assert gateway.post("/v1/predict", content=image).status_code == 200


def test_a_image_the_graph_refuses_is_undecodable(gateway: httpx.Client) -> None:
    """An image of a good kind that the model marks as not valid is refused as damaged."""
    response = gateway.post("/v1/predict", content=draw(mark=b"BROKEN"))
    assert response.status_code == 422
    assert response.json()["code"] == "undecodable_image"
    assert response.json()["detail"] == "The image is damaged and cannot be decoded; save it anew."


def test_the_model_decides_which_kinds_it_decodes(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A kind of image outside the manifest's encodings is refused, naming those inside."""
    model_server.publish("flowers", 2, encodings=("jpeg", "png"))
    response = own_gateway.post("/v1/predict?version=2", content=draw("WEBP"))
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_image"
    assert "image/webp" in response.json()["detail"]
    assert "JPEG or PNG" in response.json()["detail"]


@pytest.mark.parametrize(("kind", "status"), [("JPEG", 200), ("PNG", 200), ("BMP", 200), ("WEBP", 415)])
def test_the_target_decides_which_kinds_are_sent(
    own_gateway: httpx.Client, model_server: FakeModelServer, kind: str, status: int
) -> None:
    """A kind that the server of the export does not decode is refused without a call, naming that server."""
    target = ServingTarget(server="TensorFlow Serving 2.18", encodings=("jpeg", "png", "bmp"))
    described = manifest_for("flowers", 2).model_copy(update={"target": target})
    model_server.publish("flowers", 2, manifest=described.to_json().encode())
    model_server.calls.forget()
    response = own_gateway.post("/v1/predict?version=2", content=draw(kind))
    assert response.status_code == status
    assert model_server.calls.count() == (status == 200)
    if status == 415:
        assert response.json()["detail"] == (
            "This is image/webp, which TensorFlow Serving 2.18, for which the model was exported, does not decode; "
            "send JPEG, PNG or BMP."
        )


def test_a_refusal_is_a_problem(gateway: httpx.Client) -> None:
    """A refusal is application/problem+json with all of RFC 9457's members, a code and the request's id."""
    response = gateway.post("/v1/predict", content=b"text", headers=GATEWAY_TYPES)
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["status"] == 415
    assert problem["type"].endswith(problem["code"])
    assert problem["title"] in {row.title for row in TABLE.values()}
    assert problem["request_id"] == response.headers["x-request-id"]

"""Images in, labels out."""

from typing import Any

import httpx
import pytest

from tests.fakes.model_server import LABELS, FakeModelServer, label_for, probabilities_for
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw, draw_animation
from tests.gateway.waiting import wait_until_ready


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_a_image_as_raw_body_is_labelled(gateway: httpx.Client, kind: str) -> None:
    """Each accepted kind of image, sent as the body, is answered with its label and probability."""
    image = draw(kind)
    response = gateway.post("/v1/predict", content=image, headers={"Content-Type": f"image/{kind.lower()}"})
    assert response.status_code == 200
    [prediction] = response.json()["predictions"]
    assert prediction["label"] == label_for(image)
    assert prediction["probability"] == max(probabilities_for(image, len(LABELS)))


def test_the_answer_says_who_answered(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """The answer names the model, its version as text, and the digest of the published files."""
    digest = model_server.publish("flowers", 1)
    response = own_gateway.post("/v1/predict", content=draw()).json()
    assert (response["model"], response["version"], response["digest"]) == ("flowers", "1", digest)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/anything", "IMAGE/JPEG; q=1", None])
def test_the_content_type_of_a_image_need_not_be_exact(gateway: httpx.Client, content_type: str | None) -> None:
    """A body of any image type, of octet-stream or of no type at all is taken for an image."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert gateway.post("/v1/predict", content=draw("PNG"), headers=headers).status_code == 200


def test_files_of_a_form_are_answered_in_order(gateway: httpx.Client) -> None:
    """Each file of a multipart form gets its own answer, in the order sent, whatever its field is called."""
    images = [draw(colour=colour) for colour in range(0, 250, 25)]
    files = [(f"field{number % 3}", (f"{number}.jpg", image)) for number, image in enumerate(images)]
    response = gateway.post("/v1/predict", files=files, data={"comment": "no file"})
    assert response.status_code == 200
    assert [entry["label"] for entry in response.json()["predictions"]] == [label_for(image) for image in images]


def test_an_animated_png_is_a_png(gateway: httpx.Client) -> None:
    """An animated PNG is accepted, as the still image that any PNG decoder sees."""
    assert gateway.post("/v1/predict", content=draw_animation("PNG")).status_code == 200


def test_top_lists_the_likeliest_labels_first(gateway: httpx.Client) -> None:
    """`top` holds top_k labels in falling order of probability, and begins with the answer itself."""
    image = draw()
    response = gateway.post("/v1/predict?top_k=2", content=image).json()["predictions"][0]
    expected = sorted(zip(probabilities_for(image, 3), LABELS, strict=True), reverse=True)[:2]
    assert [(entry["probability"], entry["label"]) for entry in response["top"]] == expected
    assert response["top"][0] == {"label": response["label"], "probability": response["probability"]}


def test_top_k_is_capped_at_the_classes(gateway: httpx.Client) -> None:
    """A top_k beyond the number of classes gives all of them."""
    assert len(gateway.post("/v1/predict?top_k=99", content=draw()).json()["predictions"][0]["top"]) == len(LABELS)


def test_top_k_is_five_by_default(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Without top_k, five labels are given."""
    model_server.publish("flowers", 2, tuple("abcdefg"))
    response = own_gateway.post("/v1/predict", content=draw()).json()
    assert len(response["predictions"][0]["top"]) == 5


def test_the_version_can_be_chosen(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """?version= asks that version, though it is not the latest, and labels with its labels."""
    model_server.publish("flowers", 2, ("x", "y", "z"))
    responses = {
        version: own_gateway.post(f"/v1/predict?version={version}", content=draw()).json() for version in ("1", "2")
    }
    assert {version: response["version"] for version, response in responses.items()} == {"1": "1", "2": "2"}
    assert responses["1"]["predictions"][0]["label"] in LABELS
    assert responses["2"]["predictions"][0]["label"] in "xyz"


def test_the_model_can_be_chosen(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """?model= asks that model; without it the first configured one answers."""
    model_server.publish("dogs", 7, ("poodle", "beagle"))
    gateway = start_gateway(models=("flowers", "dogs"))
    wait_until_ready(gateway)
    called = [gateway.post(url, content=draw()).json() for url in ("/v1/predict", "/v1/predict?model=dogs")]
    assert [(response["model"], response["version"]) for response in called] == [("flowers", "1"), ("dogs", "7")]


def test_numbers_are_read_from_raw_tensors_too(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A server that answers in tensor_content gives the same answer as one that uses typed fields."""

    def send() -> Any:
        files = [("file", ("a", draw())), ("file", ("b", draw(mark=b"BROKEN")))]
        return own_gateway.post("/v1/predict", files=files).json()["predictions"]

    typed = send()
    model_server.raw_tensors = True
    assert send() == typed


def test_the_whole_signature_is_asked_for(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """All outputs are asked for: TensorFlow Serving batches only what asks for a whole signature."""
    own_gateway.post("/v1/predict", content=draw())
    request = model_server.predict_requests[-1]
    assert list(request.output_filter) == []
    assert not request.model_spec.HasField("version")

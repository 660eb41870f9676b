"""One bad image never spoils a batch."""

import httpx

from tests.fakes.model_server import FakeModelServer, label_for
from tests.gateway.images import draw


def test_broken_files_leave_their_neighbours_alone(gateway: httpx.Client) -> None:
    """Of five files of which two are broken, three get answers and two get reasons, in the order sent."""
    good = [draw(colour=colour) for colour in (0, 100, 200)]
    files = [
        ("file", ("first.jpg", good[0])),
        ("file", ("notes.txt", b"these are notes")),
        ("file", ("second.jpg", good[1])),
        ("file", ("torn.jpg", draw(mark=b"BROKEN"))),
        ("file", ("third.jpg", good[2])),
    ]
    response = gateway.post("/v1/predict", files=files)
    assert response.status_code == 200
    first, notes, second, torn, third = response.json()["predictions"]
    assert [entry["label"] for entry in (first, second, third)] == [label_for(image) for image in good]
    assert (notes["error"]["code"], notes["error"]["name"]) == ("not_an_image", "notes.txt")
    assert (torn["error"]["code"], torn["error"]["name"]) == ("undecodable_image", "torn.jpg")
    assert "text" in notes["error"]["detail"]
    assert "damaged" in torn["error"]["detail"]


def test_refused_files_are_not_sent_to_the_model(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Only images go to the model server, all of them in one call."""
    good = [draw(colour=colour) for colour in (0, 100)]
    files = [("file", ("a", good[0])), ("file", ("b", b"text")), ("file", ("c", good[1]))]
    before = len(model_server.predict_requests)
    own_gateway.post("/v1/predict", files=files)
    [request] = model_server.predict_requests[before:]
    assert list(request.inputs["image_bytes"].string_val) == good


def test_a_batch_without_any_image_is_answered_without_the_model(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """If all files are refused there are reasons only, and no call: a batch of no rows would abort the server."""
    before = len(model_server.predict_requests)
    response = own_gateway.post("/v1/predict", files=[("file", ("a", b"text")), ("file", ("b", b""))])
    assert response.status_code == 200
    assert [entry["error"]["name"] for entry in response.json()["predictions"]] == ["a", "b"]
    assert response.json()["version"] == "1"
    assert len(model_server.predict_requests) == before


def test_a_form_with_one_refused_file_is_refused(gateway: httpx.Client) -> None:
    """A single image's refusal is the HTTP status itself, also when it came in a form."""
    response = gateway.post("/v1/predict", files={"file": ("a.txt", b"text")})
    assert response.status_code == 415
    assert response.json()["code"] == "not_an_image"

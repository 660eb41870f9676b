"""The gateway says whether what it is asked, and what it answers, is still like the reference of the version."""

import math
from pathlib import Path

import grpc
import httpx
import pytest

from contract import serving_messages as messages
from gateway.errors import ModelServerFailedError
from gateway.predict.scores import read_scores
from tests.fakes.made_up_predictions import output_tensors
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.fakes.orders import read_orders
from tests.gateway.conftest import StartGateway
from tests.gateway.drift.drifting_model import (
    FEATURES,
    LEAST,
    SETTINGS,
    WINDOW,
    drift_of,
    only_version,
    publish,
    send,
    series,
)
from tests.gateway.security.api_keys import Keys, bearer
from tests.gateway.waiting import wait_until, wait_until_ready


@pytest.fixture
def gateway(model_server: FakeModelServer, start_gateway: StartGateway) -> httpx.Client:
    """A gateway before one version that has a reference."""
    publish(model_server)
    client = start_gateway(**SETTINGS)
    wait_until_ready(client)
    return client


def test_nothing_is_claimed_before_enough_images(gateway: httpx.Client) -> None:
    """With one image too few there is only their number; with one more, all four features."""
    send(gateway, range(LEAST - 1))
    assert series(gateway, "images") == {("1",): LEAST - 1}
    assert series(gateway, "psi") == series(gateway, "js_distance") == series(gateway, "threshold_psi") == {}
    few = only_version(gateway)
    assert (few["features"], few["moved"]) == ([], False)
    assert few["sentence"] == f"Too few images to compare: {LEAST - 1} of {LEAST}."
    send(gateway, [LEAST])
    assert set(series(gateway, "psi")) == {("1", feature) for feature in FEATURES}
    assert set(series(gateway, "js_distance")) == set(series(gateway, "threshold_psi")) == set(series(gateway, "psi"))


def test_traffic_like_the_reference_has_not_moved(gateway: httpx.Client) -> None:
    """Other images of the same kind are below every threshold, and the answer says so in a sentence."""
    send(gateway, range(WINDOW))
    found = only_version(gateway)
    assert (found["images"], found["wanted"], found["reference_images"]) == (WINDOW, LEAST, 300)
    assert [feature["feature"] for feature in found["features"]] == list(FEATURES)
    assert not any(feature["moved"] for feature in found["features"])
    assert found["sentence"] == f"Nothing moved: the last {WINDOW} images and their predictions are like the reference."
    thresholds = series(gateway, "threshold_psi")
    assert all(value < thresholds[key] for key, value in series(gateway, "psi").items())


def test_darker_images_are_noticed(gateway: httpx.Client) -> None:
    """When images become darker, brightness alone moves, and the sentence says from where to where."""
    send(gateway, range(WINDOW))
    send(gateway, range(WINDOW, 2 * WINDOW), "BRIGHTNESS:0.23")
    found = only_version(gateway)
    assert found["moved"]
    assert [feature["feature"] for feature in found["features"] if feature["moved"]] == ["brightness"]
    expected = f"images are darker: mean brightness 0.50 in the reference, 0.23 in the last {WINDOW}"
    assert found["sentence"] == f"{expected}."
    key = ("1", "brightness")
    assert series(gateway, "psi")[key] > series(gateway, "threshold_psi")[key]
    assert series(gateway, "js_distance")[key] == pytest.approx(1.0)


def test_the_window_slides(gateway: httpx.Client) -> None:
    """Once the images are as before, nothing has moved."""
    send(gateway, range(WINDOW), "BRIGHTNESS:0.23")
    assert only_version(gateway)["moved"]
    send(gateway, range(WINDOW))
    assert not only_version(gateway)["moved"]
    assert only_version(gateway)["images"] == WINDOW


def test_the_same_image_again_and_again_is_drift(gateway: httpx.Client) -> None:
    """One image asked a hundred times is not what the model was tested on, and is reported."""
    send(gateway, [7] * WINDOW)
    assert {feature["feature"] for feature in only_version(gateway)["features"] if feature["moved"]} >= {
        "class",
        "confidence",
    }


def test_refused_images_do_not_count(gateway: httpx.Client) -> None:
    """Images that the gateway or the graph refuses are in no window."""
    assert gateway.post("/v1/predict", content=b"text").status_code == 415
    assert gateway.post("/v1/predict", content=marked_image("BROKEN")).status_code == 422
    assert series(gateway, "images") == {("1",): 0}


def test_versions_without_brightness_have_three_features(
    model_server: FakeModelServer, start_gateway: StartGateway
) -> None:
    """A version that was made before its graph told the brightness is compared in the other three."""
    publish(model_server)
    gateway = start_gateway(**SETTINGS)
    wait_until_ready(gateway)
    send(gateway, range(LEAST), "WITHOUT:brightness")
    assert {feature for _, feature in series(gateway, "psi")} == {"class", "confidence", "size"}


def test_versions_without_a_reference_are_not_compared(own_gateway: httpx.Client) -> None:
    """A version whose manifest has no reference has no series, and the answer says why."""
    assert own_gateway.post("/v1/predict", json={"images": []}).status_code == 400
    assert series(own_gateway, "images") == {}
    found = only_version(own_gateway)
    assert (found["reference_images"], found["features"]) == (None, [])
    assert found["sentence"].startswith("This version has no reference to compare with")


def test_each_version_has_a_window_and_loses_it_with_its_place(
    model_server: FakeModelServer, gateway: httpx.Client
) -> None:
    """Two versions are compared apart; when the first is unloaded, its series are gone, and so is its window."""
    send(gateway, range(LEAST))
    publish(model_server, 2)
    wait_until(lambda: ("2",) in series(gateway, "images"))
    send(gateway, range(10))
    assert series(gateway, "images") == {("1",): LEAST, ("2",): 10}
    assert [each["version"] for each in drift_of(gateway)["versions"]] == ["1", "2"]
    assert [each["images"] for each in drift_of(gateway, "?version=1")["versions"]] == [LEAST]
    model_server.withdraw("flowers", 1)
    wait_until(lambda: series(gateway, "images") == {("2",): 10})
    assert {version for version, *_ in series(gateway, "psi")} == set()


def test_another_model_under_the_same_number_begins_anew(model_server: FakeModelServer, gateway: httpx.Client) -> None:
    """A version number that comes back as another model does not inherit its images."""
    send(gateway, range(50))
    model_server.withdraw("flowers", 1)
    wait_until(lambda: series(gateway, "images") == {})
    publish(model_server, digest="sha256:another")
    wait_until(lambda: series(gateway, "images") == {("1",): 0})
    send(gateway, range(3))
    assert series(gateway, "images") == {("1",): 3}


def test_images_outlast_a_model_server_that_is_away(model_server: FakeModelServer, gateway: httpx.Client) -> None:
    """While the model server is away nothing is claimed; when it is back, its version has the images it had."""
    send(gateway, range(50))
    model_server.stop()
    wait_until(lambda: series(gateway, "images") == {})
    model_server.start()
    wait_until(lambda: series(gateway, "images") == {("1",): 50})


def test_a_model_whose_state_is_unknown_keeps_its_images(
    model_server: FakeModelServer, start_gateway: StartGateway
) -> None:
    """While the model server does not tell its versions, a window that begins for one model takes none from another."""
    publish(model_server)
    publish(model_server, model="dogs")
    gateway = start_gateway(**SETTINGS, models=("flowers", "dogs"))
    wait_until_ready(gateway)
    send(gateway, range(50))
    model_server.refuse("GetModelStatus", grpc.StatusCode.UNAVAILABLE)
    wait_until(lambda: gateway.get("/readyz").status_code == 503)
    send(gateway, [1], path="/v1/models/dogs/predict?version=1")
    model_server.refuse("GetModelStatus", grpc.StatusCode.OK)
    wait_until_ready(gateway)
    assert only_version(gateway)["images"] == 50


def test_drift_can_be_switched_off(model_server: FakeModelServer, start_gateway: StartGateway) -> None:
    """With the setting off nothing is counted, and the answer says so."""
    publish(model_server)
    gateway = start_gateway(**SETTINGS, drift=False)
    wait_until_ready(gateway)
    send(gateway, range(LEAST))
    assert series(gateway, "images") == {}
    assert (drift_of(gateway)["watched"], only_version(gateway)["features"]) == (False, [])
    assert only_version(gateway)["sentence"] == "Drift is not monitored: the setting `drift` is off."


def test_what_is_not_there_is_refused(gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Unknown models, versions and numbers are refused as on a card's page."""
    for path, status in (
        ("/v1/models/weeds/drift", 404),
        ("/v1/models/flowers/drift?version=9", 404),
        ("/v1/models/flowers/drift?version=x", 400),
    ):
        reply = gateway.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    model_server.publish("flowers", 2, describes=False)
    wait_until(lambda: gateway.get("/v1/models/flowers/drift").status_code == 501)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("brightness", "fits"), [([0.5, 0.25], True), ([0.5], False), ([0.5, math.nan], False)])
def test_a_brightness_is_read_for_each_image(brightness: list[float], fits: bool, raw: bool) -> None:
    """As many finite brightnesses as images have to come, in either form, or the answer makes no sense."""
    rows = [[0.5, 0.25, 0.25]] * 2
    tensors = output_tensors(read_orders([]), rows, [True, True], ["a", "a"], brightness, raw=raw)
    response = messages.PredictResponse()
    for name, tensor in tensors.items():
        response.outputs[name].CopyFrom(tensor)
    if fits:
        assert read_scores(response, 2).brightness == tuple(brightness)
    else:
        with pytest.raises(ModelServerFailedError, match="one brightness for each image"):
            read_scores(response, 2)


def test_windows_are_bounded(model_server: FakeModelServer, start_gateway: StartGateway) -> None:
    """However many versions answer, 32 have a window; one that is gone gives up its own, else who began first."""
    for version in range(1, 35):
        publish(model_server, version)
    gateway = start_gateway(**SETTINGS)
    wait_until_ready(gateway)
    for version in range(1, 35):
        send(gateway, [version], path=f"/v1/predict?version={version}")
    seen = series(gateway, "images")
    assert [seen[str(version),] for version in range(1, 35)] == [0, 0] + [1] * 32
    model_server.withdraw("flowers", 34)
    wait_until(lambda: ("34",) not in series(gateway, "images"))
    send(gateway, [1], path="/v1/predict?version=1")
    assert [series(gateway, "images")[str(version),] for version in (1, 2, 3)] == [1, 0, 1]


def test_drift_needs_the_scope_of_questions(
    model_server: FakeModelServer, start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Who may ask the model may read its drift; who may only operate may not, and nobody may without a key."""
    publish(model_server)
    keys = Keys(tmp_path / "keys.json")
    predict, operate = keys.add("predict"), keys.add("operate")
    gateway = start_gateway(**SETTINGS, api_keys_file=keys.path)
    wait_until_ready(gateway)
    path = "/v1/models/flowers/drift"
    assert gateway.get(path).status_code == 401
    assert gateway.get(path, headers=bearer(operate)).status_code == 403
    assert gateway.get(path, headers=bearer(predict)).status_code == 200


def test_the_answer_is_as_described(gateway: httpx.Client) -> None:
    """What is answered has the fields that the description of the routes gives, on each level."""
    schemas = gateway.get("/openapi.json").json()["components"]["schemas"]
    send(gateway, range(LEAST))
    replied = drift_of(gateway)
    for name, inner in (("DriftReport", "versions"), ("VersionReport", "features"), ("FeatureReport", None)):
        assert set(replied) == set(schemas[name]["required"]) == set(schemas[name]["properties"])
        if inner is not None:
            replied = replied[inner][0]

"""The client of a model server, on the real wire: what it reads, and what it says of servers that do not fit."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from exporter.check.remote_predictors import CheckedServer
from exporter.check.server_client import ServerClient
from exporter.errors import CheckError
from tests.fakes.model_server import LABELS, FakeModelServer, label_for, manifest_for, probabilities_for

IMAGES = [b"first", b"BROKEN second", b"third"]


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    """A server of version 3 of flowers."""
    fake = FakeModelServer()
    fake.start()
    fake.publish("flowers", 3)
    yield fake
    fake.stop()


@pytest.fixture
def client(server: FakeModelServer) -> Iterator[ServerClient]:
    """A client of the server."""
    with ServerClient(server.address, "flowers") as client:
        yield client


@pytest.mark.parametrize("raw", [False, True], ids=["typed fields", "raw bytes"])
def test_answers_are_read_as_servers_write_them(server: FakeModelServer, client: ServerClient, raw: bool) -> None:
    """Numbers in typed fields and as raw bytes are the same numbers; labels and validity come along."""
    server.raw_tensors = raw
    prediction = client.predict(3, IMAGES)
    expected = np.array([probabilities_for(image, 3) for image in IMAGES], np.float32)
    expected[1] = 0
    assert prediction.valid.tolist() == [True, False, True]
    np.testing.assert_array_equal(prediction.probabilities, expected)
    assert prediction.labels == (label_for(b"first"), "", label_for(b"third"))


def test_the_version_that_is_meant_is_asked(server: FakeModelServer, client: ServerClient) -> None:
    """A newer version on the same server is not asked instead."""
    server.publish("flowers", 4)
    assert client.describe(3) == manifest_for("flowers", 3)
    client.predict(3, IMAGES)
    assert {request.model_spec.version.value for request in server.predict_requests} == {3}


def test_large_answers_come_through(server: FakeModelServer) -> None:
    """An answer above gRPC's usual 4 MB is received."""
    labels = tuple(f"class {number}" for number in range(32))
    server.publish("flowers", 5, labels)
    many = [str(number).encode() for number in range(33_000)]
    with ServerClient(server.address, "flowers") as client:
        prediction = client.predict(5, many)
    assert prediction.probabilities.nbytes > 4 * 2**20
    np.testing.assert_array_equal(prediction.probabilities[-1], np.array(probabilities_for(many[-1], 32), np.float32))


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (7, "The model server at {} does not serve version 7 of flowers; it serves version 3."),
        (2, "The model server at {} does not serve version 2 of flowers; it serves version 3."),
    ],
)
def test_version_that_is_not_served_is_told_with_those_that_are(
    server: FakeModelServer, client: ServerClient, version: int, sentence: str
) -> None:
    """Who asks for a version that is not served hears which one is."""
    with pytest.raises(CheckError) as caught:
        client.describe(version)
    assert str(caught.value) == sentence.format(server.address)


def test_unknown_model_is_told(server: FakeModelServer) -> None:
    """A server of another model does not serve the version."""
    with (
        ServerClient(server.address, "roses") as client,
        pytest.raises(CheckError, match="does not serve version 3 of roses; no version of it is loaded there"),
    ):
        client.describe(3)


def test_nobody_at_the_address_is_one_sentence_with_the_address() -> None:
    """An address where nobody listens is refused with the reason, soon."""
    with (
        ServerClient("127.0.0.1:9", "flowers") as client,
        pytest.raises(
            CheckError, match=r"^The model server at 127\.0\.0\.1:9 does not answer \(UNAVAILABLE: .*\); start it"
        ),
    ):
        client.describe(3)


def test_busy_server_is_asked_again(server: FakeModelServer, client: ServerClient) -> None:
    """A server that is always too busy is given up after four tries, and no other failure is tried twice."""
    server.refuse("Predict", grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(CheckError, match="RESOURCE_EXHAUSTED"):
        client.predict(3, IMAGES)
    assert len(server.predict_requests) == 4
    server.refuse("Predict", grpc.StatusCode.INTERNAL)
    with pytest.raises(CheckError, match="INTERNAL"):
        client.predict(3, IMAGES)
    assert len(server.predict_requests) == 5


def test_server_without_a_manifest_is_refused(server: FakeModelServer, client: ServerClient) -> None:
    """A model that does not describe itself as ours do is told from one that does."""
    server.publish("flowers", 3, manifest=b"{}")
    with pytest.raises(CheckError, match="is not a model manifest"):
        client.describe(3)


def test_another_model_under_the_same_number_is_refused(server: FakeModelServer, client: ServerClient) -> None:
    """The digest tells a version from another one of the same number, and both are named."""
    same = manifest_for("flowers", 3)
    CheckedServer(client, same, "server").prove_identity()
    other = same.model_copy(update={"digest": "sha256:other"})
    with pytest.raises(CheckError) as caught:
        CheckedServer(client, other, "server").prove_identity()
    assert str(caught.value) == (
        f"The model server at {server.address} serves another version 3 of flowers: its digest is {same.digest}, and "
        "this one's sha256:other."
    )


def test_waiting_ends_when_the_version_is_served_or_cannot_be(server: FakeModelServer, client: ServerClient) -> None:
    """Waiting for a version ends at once where it is served, and with the reason where it ended."""
    client.await_version(3)
    server.publish("flowers", 3, state="END")
    with pytest.raises(CheckError, match="cannot load version 3"):
        client.await_version(3)


def test_labels_of_the_fake_are_the_manifests() -> None:
    """The fake's own classes are those it describes."""
    assert manifest_for("flowers", 3).labels == LABELS

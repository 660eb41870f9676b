"""The Open Inference Protocol as the public client `tritonclient.http` speaks it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import httpx
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.http as triton

from tests.fakes.model_server import LABELS, FakeModelServer, label_for, probabilities_for
from tests.fakes.tensor_model_server import DTYPES, MODEL, TensorModelServer
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until

VALUES: dict[str, npt.NDArray[Any]] = {
    "bool": np.array([True, False, True]),
    "uint8": np.array([0, 7, 255], np.uint8),
    "uint16": np.array([0, 7, 2**16 - 1], np.uint16),
    "uint32": np.array([0, 7, 2**32 - 1], np.uint32),
    "uint64": np.array([0, 7, 2**64 - 1], np.uint64),
    "int8": np.array([-128, 7, 127], np.int8),
    "int16": np.array([-(2**15), 7, 2**15 - 1], np.int16),
    "int32": np.array([-(2**31), 7, 2**31 - 1], np.int32),
    "int64": np.array([-(2**63), 7, 2**63 - 1], np.int64),
    "fp16": np.array([-0.1, 7, 65504], np.float16),
    "bf16": np.array([-0.1, 7, 3e38], np.float32).astype(ml_dtypes.bfloat16).astype(np.float32),
    "fp32": np.array([-0.1, 7, np.nan], np.float32),
    "fp64": np.array([-0.1, 7, np.inf], np.float64),
    "bytes": np.array([b"", "häuser".encode(), b"a\0b"], np.object_),
}
"""Three elements of each type, the smallest and the largest among them; what the client wants for BF16 is float32."""

Client: TypeAlias = triton.InferenceServerClient


@pytest.fixture
def client(tensor_gateway: httpx.Client) -> Iterator[Client]:
    """The public client, connected to that gateway."""
    with _connect(tensor_gateway) as connected:
        yield connected


def _connect(gateway: httpx.Client) -> Client:
    return Client(f"{gateway.base_url.host}:{gateway.base_url.port}")


def _input(name: str, array: npt.NDArray[Any], datatype: str, *, binary: bool = True) -> triton.InferInput:
    given = triton.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def _rejection(client: Client, *inputs: triton.InferInput, model: str = MODEL, **more: Any) -> tuple[str, str]:
    with pytest.raises(triton.InferenceServerException) as caught:
        client.infer(model, list(inputs), **more)
    return caught.value.status(), caught.value.message()


PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)


@pytest.mark.parametrize(("binary_in", "binary_out"), [(True, True), (True, False), (False, True), (False, False)])
def test_every_datatype_comes_back_unchanged(client: Client, binary_in: bool, binary_out: bool) -> None:
    """Each datatype goes in and out as JSON and as binary data, in every combination the client has.

    Numbers that are not finite come out as binary data alone: JSON has no such numbers.
    """
    for name in sorted(DTYPES):
        if name == "bf16" and not (binary_in and binary_out):
            continue  # the client has no JSON form of it
        values = VALUES[name]
        if not binary_out and values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        response = client.infer(
            MODEL,
            [_input("x", values, name.upper(), binary=binary_in)],
            outputs=[triton.InferRequestedOutput("y", binary_data=binary_out)],
            parameters={"signature_name": name},
        )
        assert response.get_output("y")["datatype"] == name.upper()
        seen = response.as_numpy("y")
        if name == "bytes" and not binary_out:
            seen = np.array([text.encode() for text in seen], np.object_)
        assert seen.dtype == values.dtype
        np.testing.assert_array_equal(seen, values, err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_json_does_not_have_are_refused_in_words(client: Client, value: float) -> None:
    """An output with NaN or infinity is a 400 that says how to request it; as binary data it comes as it is."""
    given, parameters = _input("x", np.array([1, value], np.float32), "FP32"), {"signature_name": "fp32"}
    as_json, binary = (triton.InferRequestedOutput("y", binary_data=each) for each in (False, True))
    status, message = _rejection(client, given, outputs=[as_json], parameters=parameters)
    assert (status, "request it with binary_data set to true" in message) == ("400", True)
    seen = client.infer(MODEL, [given], outputs=[binary], parameters=parameters).as_numpy("y")
    np.testing.assert_array_equal(seen, np.array([1, value], np.float32))


def test_pixels_are_answered_with_all_outputs(client: Client) -> None:
    """UINT8 pixels in, FP32 and INT32 out; without a selection all outputs come, as binary data."""
    response = client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")], request_id="the-id")
    np.testing.assert_array_equal(response.as_numpy("mean"), PIXELS.mean((1, 2)).astype(np.float32))
    np.testing.assert_array_equal(response.as_numpy("size"), [12, 12])
    said = response.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("the-id", MODEL, "1")
    assert [output["parameters"]["binary_data_size"] for output in said["outputs"]] == [24, 8]


def test_only_the_wanted_outputs_come_each_in_its_form(client: Client) -> None:
    """Outputs come in the order asked for, each as JSON or binary as it wishes."""
    wanted = [
        triton.InferRequestedOutput("size", binary_data=False),
        triton.InferRequestedOutput("mean", binary_data=True),
    ]
    response = client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")], outputs=wanted)
    size, mean = response.get_response()["outputs"]
    assert size == {"name": "size", "datatype": "INT32", "shape": [2], "data": [12, 12]}
    assert (mean["name"], mean["parameters"]) == ("mean", {"binary_data_size": 24})
    np.testing.assert_array_equal(response.as_numpy("mean"), PIXELS.mean((1, 2)).astype(np.float32))


def test_several_inputs_share_the_binary_part(client: Client) -> None:
    """Binary data of several inputs, one of them JSON in between, reaches the inputs it belongs to."""
    a, b = np.array([[1.5, 2]], np.float32), np.array([10], np.int64)
    for binary in (True, False):
        inputs = [_input("b", b, "INT64", binary=binary), _input("a", a, "FP32")]
        response = client.infer(MODEL, inputs, parameters={"signature_name": "two"})
        np.testing.assert_array_equal(response.as_numpy("sum"), [[11.5, 12]])


def test_an_input_with_a_default_may_be_left_out(client: Client) -> None:
    """An input for which the signature has a default need not be sent."""
    given = _input("a", np.array([[1.5, 2]], np.float32), "FP32")
    response = client.infer(MODEL, [given], parameters={"signature_name": "two"})
    np.testing.assert_array_equal(response.as_numpy("sum"), [[101.5, 102]])


def test_a_model_that_takes_any_shape_gets_any_shape(client: Client) -> None:
    """Where the signature has no shape, scalars, lists and empty inner dimensions pass."""
    for shape in ((), (3,), (1, 2, 0), (2, 1, 2)):
        values = np.ones(shape, np.float32)
        response = client.infer(MODEL, [_input("x", values, "FP32")], parameters={"signature_name": "anything"})
        assert response.as_numpy("y").shape == shape


def test_a_image_of_our_own_model_is_labelled(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """An image as BYTES gets the probabilities and the label of one of our own models."""
    image = draw()
    with _connect(own_gateway) as client:
        given = _input("image_bytes", np.array([image], np.object_), "BYTES")
        response = client.infer("flowers", [given])
    assert response.as_numpy("probabilities").tolist() == [probabilities_for(image, len(LABELS))]
    assert response.as_numpy("label").tolist() == [label_for(image).encode()]
    assert response.as_numpy("valid").tolist() == [True]


def test_the_server_says_what_it_is(client: Client) -> None:
    """Server and model are live and ready, and the server names its extension."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready(MODEL, "2")
    assert not client.is_model_ready("nosuch")
    metadata = client.get_server_metadata()
    assert (metadata["name"], metadata["extensions"]) == ("graft", ["binary_tensor_data"])


def test_a_model_says_what_it_takes(client: Client) -> None:
    """Metadata names versions, inputs and outputs of the default signature, or of the one asked for."""
    metadata = client.get_model_metadata(MODEL)
    assert metadata == {
        "name": MODEL,
        "versions": ["1"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [-1, 2, 2, 3]}],
        "outputs": [
            {"name": "mean", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "size", "datatype": "INT32", "shape": [-1]},
        ],
        "parameters": {"signature_name": "serving_default"},
    }
    other = client.get_model_metadata(MODEL, "1", query_params={"signature_name": "anything"})
    assert other["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [], "parameters": {"any_shape": True}}]


def test_an_unknown_model_is_not_found(client: Client, tensor_server: TensorModelServer) -> None:
    """A model that is not configured is 404, and the model server is not asked."""
    before = tensor_server.calls["Predict"], tensor_server.calls["GetModelMetadata"]
    status, sentence = _rejection(client, _input("pixels", PIXELS, "UINT8"), model="nosuch")
    assert status == "404"
    assert sentence == "There is no model 'nosuch'; the models are: tensors."
    assert (tensor_server.calls["Predict"], tensor_server.calls["GetModelMetadata"]) == before


def test_an_unknown_version_is_not_found(client: Client) -> None:
    """A version that is not served is 404, asked for metadata or an answer."""
    status, _ = _rejection(client, _input("pixels", PIXELS, "UINT8"), model_version="9")
    assert status == "404"
    with pytest.raises(triton.InferenceServerException) as caught:
        client.get_model_metadata(MODEL, "9")
    assert caught.value.status() == "404"


@pytest.mark.parametrize(
    ("name", "array", "datatype", "sentence"),
    [
        ("pixels", PIXELS[:, :1], "UINT8", "has the shape [2, 1, 2, 3]; the model expects [-1, 2, 2, 3]."),
        ("pixels", PIXELS[0], "UINT8", "has the shape [2, 2, 3]; the model expects [-1, 2, 2, 3]."),
        ("pixels", PIXELS.astype(np.float32), "FP32", "must be UINT8, not FP32."),
        ("image", PIXELS, "UINT8", "The model has no input image; it has: pixels."),
        ("pixels", PIXELS[:0], "UINT8", "has no rows; send at least one."),
    ],
    ids=["static-size", "rank", "datatype", "name", "no-rows"],
)
def test_an_input_that_the_model_does_not_take_is_refused(
    client: Client,
    tensor_server: TensorModelServer,
    name: str,
    array: npt.NDArray[Any],
    datatype: str,
    sentence: str,
) -> None:
    """A wrong shape, datatype or name, or no rows, is 400 with a sentence, and never reaches the model server."""
    for binary in (True, False):
        status, seen = _rejection(client, _input(name, np.ascontiguousarray(array), datatype, binary=binary))
        assert status == "400"
        assert sentence in seen
    assert tensor_server.calls["Predict"] == 0


def test_the_signatures_are_asked_for_once(client: Client, tensor_server: TensorModelServer) -> None:
    """However many requests come, the model server is asked once per version what the model takes."""
    for _ in range(5):
        client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")])
    client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")], model_version="1")
    client.get_model_metadata(MODEL)
    assert tensor_server.calls["GetModelMetadata"] == 1


def test_a_new_version_is_asked_by_its_own_signature(
    client: Client, tensor_gateway: httpx.Client, tensor_server: TensorModelServer
) -> None:
    """After a swap the new version's signature decides, and the answer names the new version."""
    client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")])
    tensor_server.versions = {2: True}
    wait_until(lambda: tensor_gateway.get(f"/v2/models/{MODEL}").json()["versions"] == ["2"])
    small = np.ones((3, 1, 1, 3), np.uint8)
    response = client.infer(MODEL, [_input("pixels", small, "UINT8")])
    assert response.get_response()["model_version"] == "2"
    assert _rejection(client, _input("pixels", PIXELS, "UINT8"))[0] == "400"


def test_a_version_number_that_comes_back_is_asked_anew(
    client: Client, tensor_gateway: httpx.Client, tensor_server: TensorModelServer
) -> None:
    """A version that went away and came back as another model is not judged by what it was."""
    client.infer(MODEL, [_input("pixels", PIXELS, "UINT8")])
    for versions in ({2: False}, {1: True}):
        tensor_server.versions = versions
        expected = [str(version) for version in versions]
        wait_until(lambda expected=expected: tensor_gateway.get(f"/v2/models/{MODEL}").json()["versions"] == expected)  # type: ignore[misc]
    small = np.ones((3, 1, 1, 3), np.uint8)
    assert client.infer(MODEL, [_input("pixels", small, "UINT8")]).as_numpy("mean").shape == (3, 3)


def test_an_answer_of_another_type_than_declared_is_a_failure(client: Client) -> None:
    """A model server that answers with other types than it declared is 502, not an answer."""
    given = _input("x", np.array([1], np.int32), "INT32")
    status, sentence = _rejection(client, given, parameters={"signature_name": "odd"})
    assert (status, sentence) == ("502", "The model server's response does not have the output y as declared.")


def test_types_that_the_protocol_lacks_are_refused(client: Client) -> None:
    """A signature of complex numbers shows in the metadata by TensorFlow's name, and cannot be asked."""
    metadata = client.get_model_metadata(MODEL, query_params={"signature_name": "complex"})
    assert metadata["inputs"] == [{"name": "x", "datatype": "COMPLEX64", "shape": [-1]}]
    given = _input("x", np.array([1], np.float32), "FP32")
    status, sentence = _rejection(client, given, parameters={"signature_name": "complex"})
    assert (status, "which this protocol does not have" in sentence) == ("400", True)


def test_bytes_that_are_no_text_need_binary_data(client: Client) -> None:
    """An output of bytes that are no UTF-8 is refused as JSON, with the way out."""
    given = _input("x", np.array([b"\xff\xd8"], np.object_), "BYTES")
    wanted = [triton.InferRequestedOutput("y", binary_data=False)]
    status, sentence = _rejection(client, given, outputs=wanted, parameters={"signature_name": "bytes"})
    assert (status, "request it with binary_data" in sentence) == ("400", True)


def test_an_unknown_signature_is_refused_with_those_there_are(client: Client) -> None:
    """A signature that the model does not have is 400, and the sentence names some that it has."""
    given = _input("pixels", PIXELS, "UINT8")
    status, sentence = _rejection(client, given, parameters={"signature_name": "nosuch"})
    assert status == "400"
    assert sentence.startswith("The model tensors has no signature 'nosuch'; it has: anything, bf16, bool,")
    assert "__saved_model_init_op" not in sentence


@pytest.mark.parametrize("wanted", [["mean", "nosuch"], ["mean", "mean"]])
def test_outputs_that_cannot_be_had_are_refused(client: Client, wanted: list[str]) -> None:
    """An unknown output, or one asked for twice, is 400."""
    outputs = [triton.InferRequestedOutput(name) for name in wanted]
    status, _ = _rejection(client, _input("pixels", PIXELS, "UINT8"), outputs=outputs)
    assert status == "400"


def test_a_compressed_body_is_refused(client: Client) -> None:
    """A compressed request is 415, as it is not unpacked here."""
    status, sentence = _rejection(client, _input("pixels", PIXELS, "UINT8"), request_compression_algorithm="gzip")
    assert (status, "'gzip'" in sentence) == ("415", True)


def test_concurrent_first_requests_ask_for_the_signatures_once(
    tensor_gateway: httpx.Client, tensor_server: TensorModelServer
) -> None:
    """Many requests that come at once before the signatures are known share one question."""
    with ThreadPoolExecutor(8) as pool:
        called = [pool.submit(tensor_gateway.get, f"/v2/models/{MODEL}") for _ in range(32)]
        assert {response.result().status_code for response in called} == {200}
    assert tensor_server.calls["GetModelMetadata"] == 1

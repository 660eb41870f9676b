"""The Open Inference Protocol before our own model server, with models that are not of ours."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.http as triton

from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until
from tests.places import CONFORMANCE

MODELS = ("dense", "types", "image", "strings")
SERVE = """
import sys
from pathlib import Path
from modelserver.server import main
from modelserver.settings import ModelServerSettings
sys.exit(main(ModelServerSettings(model_config_file=Path(sys.argv[1]), port=0)))
"""
TYPES: dict[str, tuple[str, npt.NDArray[Any]]] = {
    "serving_default": ("FP32", np.array([1.5, -2], np.float32)),
    "f16": ("FP16", np.array([1.5, -2], np.float16)),
    "bf16": ("BF16", np.array([1.5, -2], np.float32)),
    "f64": ("FP64", np.array([1.5, -2])),
    "i8": ("INT8", np.array([-128, 127], np.int8)),
    "u8": ("UINT8", np.array([0, 255], np.uint8)),
    "i16": ("INT16", np.array([-(2**15), 2**15 - 1], np.int16)),
    "u16": ("UINT16", np.array([0, 2**16 - 1], np.uint16)),
    "i32": ("INT32", np.array([-(2**31), 2**31 - 1], np.int32)),
    "u32": ("UINT32", np.array([0, 2**32 - 1], np.uint32)),
    "i64": ("INT64", np.array([-(2**63), 2**63 - 1])),
    "u64": ("UINT64", np.array([0, 2**64 - 1], np.uint64)),
    "bool": ("BOOL", np.array([True, False])),
    "str": ("BYTES", np.array([b"\xff\0", b""], np.object_)),
    "f32_scalar": ("FP32", np.array(2.5, np.float32)),
    "f32_cube": ("FP32", np.arange(8, dtype=np.float32).reshape(2, 2, 2)),
}
"""A datatype and values by the signature of the model `types` that returns them unchanged."""


@pytest.fixture(scope="module")
def model_server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where our model server serves the models of the recordings; skips without them."""
    folder = CONFORMANCE / "models"
    if not folder.is_dir():
        pytest.skip(f"no recordings of TensorFlow Serving at {folder.parent}; GRAFT_CONFORMANCE names another place")
    config = tmp_path_factory.mktemp("open_inference") / "models.config"
    lines = [
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" }}' for name in MODELS
    ]
    config.write_text(f"model_config_list {{ {' '.join(lines)} }}", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout
    address = process.stdout.readline().rpartition(" ")[2].strip()
    yield address
    process.kill()
    process.communicate()


@pytest.fixture
def client(model_server_address: str, start_gateway: StartGateway) -> Iterator[triton.InferenceServerClient]:
    """The public client, connected to a gateway before that model server."""
    gateway: httpx.Client = start_gateway(model_server=model_server_address, models=MODELS)
    wait_until(lambda: gateway.get("/v2/health/ready").status_code == 200, 60)
    with triton.InferenceServerClient(f"{gateway.base_url.host}:{gateway.base_url.port}") as connected:
        yield connected


def _input(name: str, array: npt.NDArray[Any], datatype: str) -> triton.InferInput:
    given = triton.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array)
    return given


def test_models_of_every_kind_answer(client: triton.InferenceServerClient) -> None:
    """Models that know nothing of us answer: every datatype, several outputs, images, texts, and honest refusals."""
    _call_types(client)
    _call_dense(client)
    _call_images_and_texts(client)


def _call_types(client: triton.InferenceServerClient) -> None:
    for signature, (datatype, values) in TYPES.items():
        response = client.infer("types", [_input("x", values, datatype)], parameters={"signature_name": signature})
        seen = response.as_numpy("y")
        assert response.get_output("y")["datatype"] == datatype
        expected = values.astype(ml_dtypes.bfloat16).astype(np.float32) if datatype == "BF16" else values
        np.testing.assert_array_equal(seen, expected, err_msg=signature)
    with pytest.raises(triton.InferenceServerException, match="COMPLEX64, which this protocol does not have"):
        client.infer("types", [_input("x", TYPES["f64"][1], "FP64")], parameters={"signature_name": "c64"})


def _call_dense(client: triton.InferenceServerClient) -> None:
    x = np.array([[1, 2, 3, 4], [-1, 0, 1, 2]], np.float32)
    response = client.infer("dense", [_input("x", x, "FP32")], parameters={"signature_name": "several"})
    np.testing.assert_array_equal(response.as_numpy("y"), x * np.array([1, 2, 0.5, -1], np.float32))
    np.testing.assert_array_equal(response.as_numpy("best"), [1, 2])
    np.testing.assert_array_equal(response.as_numpy("any_negative"), [True, True])
    for signature, shape in (("serving_default", (2, 3)), ("fixed", (3, 4))):  # the server itself would not mind
        given = _input("x", np.ones(shape, np.float32), "FP32")
        with pytest.raises(triton.InferenceServerException, match="the model expects") as caught:
            client.infer("dense", [given], parameters={"signature_name": signature})
        assert caught.value.status() == "400"
    given = _input("x", np.full((1, 4), 1e9, np.float32), "FP32")
    with pytest.raises(triton.InferenceServerException, match="too large") as caught:
        client.infer("dense", [given], parameters={"signature_name": "strict"})
    assert caught.value.status() == "400"
    assert "{{node" not in caught.value.message()


def _call_images_and_texts(client: triton.InferenceServerClient) -> None:
    images = np.array([draw("JPEG"), draw("PNG")], np.object_)
    response = client.infer("image", [_input("image_bytes", images, "BYTES")])
    assert response.as_numpy("mean_rgb").shape == (2, 3)
    assert set(response.as_numpy("label")) <= {b"red", b"green", b"blue"}
    pixels = client.infer(
        "image",
        [_input("image_bytes", np.array(images[1], np.object_), "BYTES")],
        outputs=[triton.InferRequestedOutput("image")],
        parameters={"signature_name": "pixels"},
    ).as_numpy("image")
    assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    texts = np.array(["häuser".encode(), b""], np.object_)
    response = client.infer("strings", [_input("text", texts, "BYTES")])
    assert response.as_numpy("upper").tolist() == ["HÄUSER".encode(), b""]
    assert response.as_numpy("chars").tolist() == [6, 0]

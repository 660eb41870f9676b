"""What a request says of its size is compared with what it may have before memory is taken for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from contract import serving_messages as messages
from tests.modelserver.litert_versions import SIZE, image, write_version
from tests.peak_memory import peak_mb_above_now

ROWS = 8
STRING, UINT8, FLOAT = (messages.DataType[f"DT_{name}"].number for name in ("STRING", "UINT8", "FLOAT"))
OTHERS = {
    "classify": ("Classify", messages.ClassificationRequest),
    "regress": ("Regress", messages.RegressionRequest),
}


@pytest.fixture(scope="module", params=["litert", "tensorflow", "litert in batches", "tensorflow in batches"])
def client(
    request: pytest.FixtureRequest,
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A client of a server that takes eight rows, by both engines, with batching and without."""
    engine, _, batching = request.param.partition(" ")
    base_path = tmp_path_factory.mktemp("models") / "colours"
    base_path.mkdir()
    write_version(base_path / "1")
    more = {"max_rows_per_request": ROWS, "max_message_bytes": 2**25, "engine": engine}
    started = start_server(base_path, "colours", enable_batching=bool(batching), **more)
    eventually(lambda: started.is_available(1, "colours"))
    return started


def tensor(dtype: int, *sizes: int, **values: Any) -> Any:
    """Return a TensorProto that claims to have these dimensions, whatever its values are."""
    made = messages.TensorProto(dtype=dtype, **values)
    for size in sizes:
        made.tensor_shape.dim.add(size=size)
    return made


def rejection(client: Any, signature: str, inputs: dict[str, Any]) -> str:
    """Return the text with which a Predict call is refused as not valid."""
    request = messages.PredictRequest(inputs=inputs)
    request.model_spec.MergeFrom(messages.ModelSpec(name="colours", signature_name=signature))
    with pytest.raises(grpc.RpcError) as caught:
        client.send(request).result()
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    return str(error.details())


LIES = {
    "one value for 20,000 rows": ("serving_default", {"image_bytes": tensor(STRING, 20_000, string_val=[b"x"])}),
    "one pixel for 2,000 images": ("serving_pixels", {"pixels": tensor(UINT8, 2000, SIZE, SIZE, 3, int_val=[1])}),
    "one pixel for a vast image": ("serving_pixels", {"pixels": tensor(UINT8, 1, 40_000, 40_000, 3, int_val=[1])}),
    "no pixel of a vast image": ("serving_pixels", {"pixels": tensor(UINT8, 0, 400_000, 400_000, 3)}),
    "an image for each of many columns": ("serving_default", {"image_bytes": tensor(STRING, 1, 500_000)}),
    "a scalar that is a million": ("pixels_of_image", {"image_bytes": tensor(STRING, 1_000_000)}),
    "a large image for eight rows": (
        "serving_default",
        {"image_bytes": tensor(STRING, ROWS, string_val=[b"x" * 20_000_000])},
    ),
    "strings of no length as content": (
        "serving_default",
        {"image_bytes": tensor(STRING, 20_000_000, tensor_content=bytes(20_000_000))},
    ),
    "lengths without end": (
        "serving_default",
        {"image_bytes": tensor(STRING, ROWS, tensor_content=b"\xff" * 1_000_000)},
    ),
    "more strings than rows": (
        "serving_default",
        {"image_bytes": tensor(STRING, 1, string_val=[b""] * 1_000_000)},
    ),
    "more integers than pixels": ("serving_pixels", {"pixels": tensor(UINT8, 1, int_val=[1] * 5_000_000)}),
    "100,000 manifests": ("describe", {"query": tensor(STRING, 100_000, string_val=[b""])}),
    "two manifests": ("describe", {"query": tensor(STRING, 2, string_val=[b"", b""])}),
    "a table of manifests": ("describe", {"query": tensor(STRING, 1, 1000, string_val=[b""])}),
    "inputs that are not there": (
        "serving_default",
        {f"other {number}": tensor(FLOAT, 8, 30_000, float_val=[1]) for number in range(2000)},
    ),
    "a dimension below none": ("serving_default", {"image_bytes": tensor(STRING, -1, string_val=[b""])}),
    "dimensions beyond all numbers": ("serving_default", {"image_bytes": tensor(STRING, 2**62, 2**62)}),
    "two hundred dimensions": ("serving_default", {"image_bytes": tensor(STRING, *[1] * 200, string_val=[b""])}),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_larger_than_it_may_be_is_refused_without_memory(client: Any, lie: str) -> None:
    """Too many rows, and shapes that few values claim, are refused in words; memory does not grow by their size."""
    signature, inputs = LIES[lie]
    details: list[str] = []
    peak = peak_mb_above_now(lambda: details.append(rejection(client, signature, inputs)))
    assert details != [""]
    assert peak < 200  # the largest message is 20 MB, which both sides hold in several forms


def test_the_text_says_what_was_wrong_and_what_to_do(client: Any) -> None:
    """A request of too many rows is told how many it has, how many it may have, and what to do."""
    nine = tensor(STRING, 9, string_val=[image(1)] * 9)
    assert rejection(client, "serving_default", {"image_bytes": nine}) == (
        "The input image_bytes has 9 rows, and one request may have 8; send them in several requests."
    )
    half = tensor(UINT8, 4, 1000, 1000, 3, int_val=[1])
    assert rejection(client, "serving_pixels", {"pixels": half}) == (
        f"A row of the input pixels has 3000000 values, and the signature's has {SIZE * SIZE * 3}; "
        "send rows of its size."
    )


def test_as_many_rows_as_allowed_are_answered(client: Any) -> None:
    """A request at the bound is served, and one manifest; values may be left out of a small tensor, as ever."""

    def outputs(signature: str, inputs: dict[str, Any]) -> Any:
        request = messages.PredictRequest(inputs=inputs)
        request.model_spec.MergeFrom(messages.ModelSpec(name="colours", signature_name=signature))
        return client.send(request).result().outputs

    eight = tensor(STRING, ROWS, string_val=[image(number) for number in range(ROWS)])
    assert list(outputs("serving_default", {"image_bytes": eight})["valid"].bool_val) == [True] * ROWS
    assert len(outputs("describe", {"query": tensor(STRING, 1, string_val=[b""])})["manifest"].string_val) == 1
    black = tensor(UINT8, ROWS, SIZE, SIZE, 3, int_val=[0])
    assert len(outputs("serving_pixels", {"pixels": black})["probabilities"].float_val) == ROWS * 3


def test_a_message_that_is_too_long_is_refused_unread(client: Any) -> None:
    """A request of more bytes than allowed gets RESOURCE_EXHAUSTED, and the next one is served."""
    large = tensor(STRING, 1, string_val=[b"x" * 2**25])
    request = messages.PredictRequest(model_spec={"name": "colours"}, inputs={"image_bytes": large})
    with pytest.raises(grpc.RpcError) as caught:
        client.send(request).result()
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    test_as_many_rows_as_allowed_are_answered(client)


@pytest.mark.parametrize("method", OTHERS)
def test_examples_are_counted_too(client: Any, method: str) -> None:
    """Classify and Regress take as many examples as there may be rows, and a context that is small for all of them."""
    name, request_class = OTHERS[method]
    request = request_class(model_spec={"name": "colours"})
    request.input.example_list.examples.extend([messages.Example()] * 9)
    assert _details(client, name, request).startswith("The request has 9 examples, and one request may have 8;")
    request.input.example_list_with_context.examples.extend([messages.Example()] * 8)
    feature = request.input.example_list_with_context.context.features.feature["x"]
    feature.bytes_list.value.append(bytes(3_000_000))
    assert "is put before each of 8 examples" in _details(client, name, request)


def test_multi_inference_counts_its_examples(client: Any) -> None:
    """MultiInference is bounded as Classify is."""
    request = messages.MultiInferenceRequest()
    request.tasks.add(model_spec={"name": "colours"}, method_name="tensorflow/serving/classify")
    request.input.example_list.examples.extend([messages.Example()] * 9)
    assert _details(client, "MultiInference", request).startswith("The request has 9 examples")


def _details(client: Any, method: str, request: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        client.call(f"/{messages.PREDICTION_SERVICE}/{method}", request.SerializeToString())
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    return str(error.details())


def test_a_row_is_as_large_as_its_signature_says(
    start_server: Callable[..., Any],
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    tmp_path: Path,
    x: npt.NDArray[np.float32],
) -> None:
    """A signature over single numbers takes tables of them for what they are worth to the graph, but no vast ones."""
    publish(tmp_path / "scale", 1, 2.0)
    scale = start_server(tmp_path / "scale")
    eventually(lambda: scale.is_available(1))
    assert len(scale.predict({"x": np.stack([x, x])}).outputs["y"].float_val) == 6
    with pytest.raises(grpc.RpcError, match="A row of the input x has 5000 values, and the signature's has 1;"):
        scale.predict({"x": np.zeros((2, 5000), np.float32)})

"""Requests about no rows are answered from what the model declares."""

import json

import pytest

from contract import serving_messages as messages
from gateway.errors import BadTensorError
from gateway.predict.model_signatures import Signature, TensorSpec
from gateway.tensorflow.empty_requests import has_no_rows, respond_without_rows
from gateway.tensorflow.inputs import read_inputs
from gateway.tensorflow.outputs import write_outputs

_FLOAT, _STRING = messages.DataType["DT_FLOAT"].number, messages.DataType["DT_STRING"].number
_WORDS = {"x": TensorSpec("STRING", _STRING, (-1,))}
_Shape = tuple[int, ...] | None


def _signature(outputs: dict[str, _Shape], inputs: dict[str, TensorSpec] = _WORDS) -> Signature:
    shapes = outputs.items()
    return Signature(1, "serving_default", inputs, {name: TensorSpec("FLOAT", _FLOAT, shape) for name, shape in shapes})


def test_every_output_is_empty() -> None:
    """Without rows, outputs with a row dimension, or of any shape, are empty lists."""
    tensors = read_inputs([], _WORDS)
    response = respond_without_rows(tensors, _signature({"a": (-1,), "b": (-1, 3), "c": (-1, -1, 2), "d": None}))
    assert has_no_rows(tensors)
    assert json.loads(write_outputs(response)) == {"outputs": {"a": [], "b": [], "c": [], "d": []}}


@pytest.mark.parametrize("shape", [(), (4,), (1, -1)])
def test_outputs_that_are_no_rows_cannot_be_known(shape: _Shape) -> None:
    """An output without a batch dimension would have to be computed, so the request is rejected."""
    with pytest.raises(BadTensorError, match="its output total has no batch size"):
        respond_without_rows(read_inputs([], _WORDS), _signature({"a": (-1,), "total": shape}))


@pytest.mark.parametrize("shape", [(), (-1, 4), (3,)])
def test_inputs_have_to_fit(shape: _Shape) -> None:
    """No rows of another shape than the model's are refused, as the graph would do."""
    inputs = {"x": TensorSpec("STRING", _STRING, shape)}
    with pytest.raises(BadTensorError, match="Incompatible shapes: "):
        respond_without_rows(read_inputs([], inputs), _signature({"a": (-1,)}, inputs))


def test_any_input_without_rows_counts() -> None:
    """One input without rows is enough; a row without values is a row, and a scalar has none."""
    inputs = {"k": TensorSpec("STRING", _STRING, None), "x": TensorSpec("STRING", _STRING, None)}
    values = ({"k": ["a"], "x": []}, {"k": [[]], "x": ["a"]}, {"k": "a", "x": "b"})
    assert [has_no_rows(read_inputs(value, inputs)) for value in values] == [True, False, False]

"""Classify, Regress and MultiInference over tf.Example, beyond what the recordings hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf

from contract import serving_messages as messages
from contract.versions import WARMUP

CALLS = {
    "Classify": (messages.ClassificationRequest, messages.ClassificationResponse),
    "Regress": (messages.RegressionRequest, messages.RegressionResponse),
    "MultiInference": (messages.MultiInferenceRequest, messages.MultiInferenceResponse),
}


class Examples(tf.Module):  # type: ignore[misc]
    """Signatures over serialized examples with one feature `x`, good ones and such as no caller can be answered by."""

    def signatures(self) -> dict[str, Any]:
        """Return a function for each way in which outputs may be shaped."""

        def both(x: Any) -> Any:
            return {"scores": tf.stack([x, -x], 1), "classes": tf.tile([["up", "down"]], [tf.size(x), 1])}

        outputs: dict[str, Callable[[Any], Any]] = {
            "serving_default": both,
            "value": lambda x: {"outputs": x * 10.0},
            "flat": lambda x: {"scores": x},
            "double": lambda x: {"scores": tf.cast(both(x)["scores"], tf.float64)},
            "numbers": lambda x: {"classes": both(x)["scores"]},
            "unequal": lambda x: {**both(x), "scores": x[:, tf.newaxis]},
            "short": lambda x: {"scores": both(x)["scores"][1:]},
            "latin": lambda x: {"classes": tf.fill([tf.size(x), 1], b"\xe9")},
            "three": lambda x: {**both(x), "more": x},
            "no_output": lambda x: {"result": x},
            "whole": lambda x: {"outputs": tf.cast(x, tf.int32)},
            "sum": lambda x: {"outputs": tf.reduce_sum(x)[tf.newaxis]},
        }
        return {name: self._over_examples(function) for name, function in outputs.items()}

    def _over_examples(self, outputs: Callable[[Any], Any]) -> Any:
        spec = tf.TensorSpec([None], tf.string, name="inputs")

        @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
        def signature(inputs: Any) -> Any:
            parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})
            return outputs(parsed["x"])

        return signature


def _input(*values: float) -> dict[str, Any]:
    examples = [{"features": {"feature": {"x": {"float_list": {"value": [value]}}}}} for value in values]
    return {"example_list": {"examples": examples}}


def _send(client: Any, method: str, **request: Any) -> Any:
    request_class, response_class = CALLS[method]
    sent = request_class(**request).SerializeToString()
    return response_class.FromString(client.call(f"/{messages.PREDICTION_SERVICE}/{method}", sent))


def _one(client: Any, method: str, signature: str) -> Any:
    spec = {"name": "examples", "signature_name": signature}
    return _send(client, method, model_spec=spec, input=_input(0.5, 2.0))


def _task(kind: str, signature: str = "", name: str = "examples") -> dict[str, Any]:
    return {
        "model_spec": {"name": name, "signature_name": signature},
        "method_name": f"tensorflow/serving/{kind}",
    }


def _rejection(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    return error.code().name, error.details()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path with one version of `Examples`, which a record of each kind warms up."""
    base_path = tmp_path_factory.mktemp("models") / "examples"
    module = Examples()
    tf.saved_model.save(module, str(base_path / "1"), signatures=module.signatures())
    called = {"model_spec": {"name": "examples"}, "input": _input(1.0)}
    records = [
        messages.PredictionLog(classify_log={"request": called}),
        messages.PredictionLog(
            regress_log={"request": {**called, "model_spec": {"name": "examples", "signature_name": "value"}}}
        ),
        messages.PredictionLog(multi_inference_log={"request": {"tasks": [_task("classify")], "input": _input(1.0)}}),
    ]
    (base_path / "1" / WARMUP).parent.mkdir()
    with tf.io.TFRecordWriter(str(base_path / "1" / WARMUP)) as writer:
        for record in records:
            writer.write(record.SerializeToString())
    return base_path


@pytest.fixture(scope="module")
def client(saved: Path, start_server: Callable[..., Any], eventually: Callable[..., None]) -> Any:
    started = start_server(saved, "examples")
    eventually(lambda: started.is_available(1, "examples"))
    return started


def test_classify_gives_a_label_and_a_score_for_each_class(client: Any) -> None:
    """Rows come in the order of the examples, and the answer says what gave it."""
    response = _one(client, "Classify", "")
    rows = [[(one.label, one.score) for one in row.classes] for row in response.result.classifications]
    assert rows == [[("up", 0.5), ("down", -0.5)], [("up", 2.0), ("down", -2.0)]]
    assert response.model_spec == messages.ModelSpec(
        name="examples", version={"value": 1}, signature_name="serving_default"
    )


def test_a_context_fills_only_what_an_example_lacks(client: Any) -> None:
    """A feature of the context counts for the examples without one, and not for those that have their own."""
    own = _input(0.5)["example_list"]["examples"][0]
    context = _input(2.0)["example_list"]["examples"][0]
    response = _send(
        client,
        "Regress",
        model_spec={"name": "examples", "signature_name": "value"},
        input={"example_list_with_context": {"context": context, "examples": [own, {}]}},
    )
    assert [one.value for one in response.result.regressions] == [5.0, 20.0]


@pytest.mark.parametrize(
    ("method", "signature", "code", "sentence"),
    [
        ("Classify", "flat", "INVALID_ARGUMENT", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("Classify", "double", "INVALID_ARGUMENT", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ("Classify", "numbers", "INVALID_ARGUMENT", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        (
            "Classify",
            "unequal",
            "INVALID_ARGUMENT",
            "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        ),
        ("Classify", "short", "INVALID_ARGUMENT", "Expected scores output batch size of 2. Got: 1"),
        ("Classify", "three", "INVALID_ARGUMENT", "Expected one or two output Tensors, found 3"),
        ("Classify", "latin", "INTERNAL", r"The model gave a class that is not UTF-8: b'\xe9'"),
        ("Regress", "whole", "INVALID_ARGUMENT", "Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
        ("Regress", "sum", "INVALID_ARGUMENT", "Input batch size did not match output batch size: 2 vs. 1"),
        ("Regress", "no_output", "INVALID_ARGUMENT", "No regression outputs found in SignatureDef: inputs {"),
    ],
)
def test_outputs_that_are_no_answer_are_refused(
    client: Any, method: str, signature: str, code: str, sentence: str
) -> None:
    """A signature whose outputs are no classification or regression is refused with TensorFlow Serving's text."""
    seen, details = _rejection(lambda: _one(client, method, signature))
    assert (seen, details[: len(sentence)]) == (code, sentence)


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        (
            [_task("classify"), _task("regress", "value", "other")],
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ([_task("classify"), _task("regress", "value", "")], "Found ModelSpec with an empty model name."),
        (
            [_task("classify"), _task("regress", "value")],
            "Input tensor must be the same for all Signatures.",
        ),
    ],
    ids=["two models", "no name", "two inputs"],
)
def test_tasks_that_do_not_go_together_are_refused(client: Any, tasks: list[dict[str, Any]], sentence: str) -> None:
    """Tasks of several models, or whose signatures read different tensors, are refused before any runs."""
    rejection = _rejection(lambda: _send(client, "MultiInference", tasks=tasks, input=_input(1.0)))
    assert rejection == ("INVALID_ARGUMENT", sentence)

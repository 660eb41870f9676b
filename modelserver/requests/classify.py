"""From a Classify request to its answer. The texts of errors are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any

from contract.serving_messages import ClassificationResponse
from modelserver.errors import BadInputError, GraphError
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.model_version import Model
from modelserver.model.tensors import Array, data_type_label, shape_text
from modelserver.requests.examples import INPUT, serialized_examples, signature_for_examples

METHOD = "tensorflow/serving/classify"

_CLASSES, _SCORES = "classes", "scores"
_DTYPES = {_CLASSES: "DT_STRING", _SCORES: "DT_FLOAT"}


def read_classify(model: Model, request: Any) -> GraphCall:
    """Return what a ClassificationRequest asks of the graph.

    Raises:
        ModelServerError: the signature is missing or not for classification, or there is no example.
    """
    name, definition = signature_for_examples(model, request.model_spec)
    outputs = classification_outputs(definition)
    return model.check(name, {INPUT: serialized_examples(request.input)}, outputs)


def classification_response(call: GraphCall, outputs: GraphOutputs) -> Any:
    """Return the ClassificationResponse that outputs of `read_classify`'s call make.

    Raises:
        ModelServerError: they are not fit for one.
    """
    response = ClassificationResponse()
    add_classifications(response.result, outputs, call.rows())
    response.model_spec.signature_name = call.signature_name
    return response


def classification_outputs(definition: Any) -> list[str]:
    """Return the outputs of a SignatureDef that make a classification: `classes`, `scores` or both.

    Raises:
        BadInputError: the signature is not for classification.
    """
    if len(definition.inputs) != 1:
        raise BadInputError("Expected one input Tensor.")
    if len(definition.outputs) not in {1, 2}:
        raise BadInputError(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if INPUT not in definition.inputs:
        raise BadInputError(f"No classification inputs found in SignatureDef: {definition}")
    outputs = [name for name in (_CLASSES, _SCORES) if name in definition.outputs]
    if not outputs:
        raise BadInputError(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {definition}"
        )
    return outputs


def add_classifications(result: Any, outputs: Mapping[str, Array], rows: int) -> None:
    """Add to a ClassificationResult a row for each example: of `classes` [N,C] strings and `scores` [N,C] float32.

    Raises:
        BadInputError: an output has another type or shape, or the two do not have the same shape.
        GraphError: a class is not UTF-8, which a label has to be.
    """
    for name, array in outputs.items():
        _check(name, array, rows)
    widths = {array.shape[1] for array in outputs.values()}
    if len(widths) > 1:
        raise BadInputError(
            "Tensors class and score should match in dim_size(1). Got "
            f"{outputs[_CLASSES].shape[1]} vs. {outputs[_SCORES].shape[1]}"
        )
    labels = outputs[_CLASSES].tolist() if _CLASSES in outputs else None
    scores = outputs[_SCORES].tolist() if _SCORES in outputs else None
    width = widths.pop()
    for row in range(rows):
        classes = result.classifications.add().classes
        for column in range(width):
            label = _text(labels[row][column]) if labels else ""
            classes.add(label=label, score=scores[row][column] if scores else 0.0)


def _check(name: str, array: Array, rows: int) -> None:
    if array.ndim != 2:
        raise BadInputError(f"Expected Tensor shape: [batch_size num_classes] but got {shape_text(array)}")
    if data_type_label(array) != _DTYPES[name]:
        raise BadInputError(f"Expected {name} Tensor of {_DTYPES[name]}. Got: {data_type_label(array)}")
    if len(array) != rows:
        raise BadInputError(f"Expected {name} output batch size of {rows}. Got: {len(array)}")


def _text(label: bytes) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError as error:
        raise GraphError(f"The model gave a class that is not UTF-8: {label!r}") from error

"""Classify: examples to labels with scores. The texts of errors are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any

from contract.serving_messages import ClassificationResponse
from modelserver.errors import BadInputError, GraphError
from modelserver.model.tensors import Array, data_type_label, shape_text
from modelserver.requests.examples import ExamplesHandler

_CLASSES, _SCORES = "classes", "scores"
_DTYPES = {_CLASSES: "DT_STRING", _SCORES: "DT_FLOAT"}


class ClassifyHandler(ExamplesHandler):
    """Reads a ClassificationRequest and makes a ClassificationResponse."""

    method = "tensorflow/serving/classify"
    noun = "classification"
    response_class = ClassificationResponse

    def check_number_of_outputs(self, number: int) -> None:
        """Take one or two."""
        if number not in {1, 2}:
            raise BadInputError(f"Expected one or two output Tensors, found {number}")

    def named_outputs(self, definition: Any) -> list[str]:
        """Return `classes`, `scores` or both."""
        outputs = [name for name in (_CLASSES, _SCORES) if name in definition.outputs]
        if not outputs:
            raise BadInputError(
                'Expected classification signature outputs to contain at least one of "classes" or "scores". '
                f"Signature was: {definition}"
            )
        return outputs

    def add_results(self, result: Any, outputs: Mapping[str, Array], rows: int) -> None:
        """Add `classes` [N,C] strings and `scores` [N,C] float32 to a ClassificationResult.

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

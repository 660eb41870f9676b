"""Regress: examples to one number each. The texts of errors are TensorFlow Serving's."""

from collections.abc import Mapping
from typing import Any

from contract.serving_messages import RegressionResponse
from modelserver.errors import BadInputError
from modelserver.model.tensors import Array, data_type_label, shape_text
from modelserver.requests.examples import ExamplesHandler

_OUTPUT = "outputs"


class RegressHandler(ExamplesHandler):
    """Reads a RegressionRequest and makes a RegressionResponse."""

    method = "tensorflow/serving/regress"
    noun = "regression"
    response_class = RegressionResponse

    def check_number_of_outputs(self, number: int) -> None:
        """Take one."""
        if number != 1:
            raise BadInputError("Expected one output Tensor.")

    def named_outputs(self, definition: Any) -> list[str]:
        """Return `outputs`."""
        if _OUTPUT not in definition.outputs:
            raise BadInputError(f"No regression outputs found in SignatureDef: {definition}")
        return [_OUTPUT]

    def add_results(self, result: Any, outputs: Mapping[str, Array], rows: int) -> None:
        """Add `outputs`, float32 [N] or [N,1], to a RegressionResult.

        Raises:
            BadInputError: the output has another type or shape.
        """
        values = outputs[_OUTPUT]
        if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
            shape = shape_text(values)
            raise BadInputError(
                f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {shape}"
            )
        if len(values) != rows:
            raise BadInputError(f"Input batch size did not match output batch size: {rows} vs. {len(values)}")
        if data_type_label(values) != "DT_FLOAT":
            raise BadInputError(f"Expected output Tensor of DT_FLOAT.  Got: {data_type_label(values)}")
        for value in values.ravel().tolist():
            result.regressions.add(value=value)

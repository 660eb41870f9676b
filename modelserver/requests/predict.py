"""Predict: tensors to tensors."""

from typing import Any

from contract.serving_messages import PredictResponse
from contract.signatures import DESCRIBE, SERVING_DEFAULT
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.tensors import to_array, write_tensor
from modelserver.model.version import Model
from modelserver.requests.handler import RequestHandler
from modelserver.requests.image_pixels import check_pixels
from modelserver.requests.row_limits import check_tensors


class PredictHandler(RequestHandler):
    """Reads a PredictRequest and makes a PredictResponse."""

    def read(self, model: Model, request: Any) -> GraphCall:
        """Return the call of the graph that a PredictRequest needs.

        Raises:
            ServingError: it does not fit the model, or a tensor cannot be read.
        """
        model.signature(request.model_spec.signature_name or SERVING_DEFAULT).check_names(request.inputs)
        inputs = {name: to_array(tensor, name) for name, tensor in request.inputs.items()}
        check_pixels(inputs)
        return model.check(request.model_spec.signature_name or SERVING_DEFAULT, inputs, request.output_filter)

    def check_rows(self, model: Model, request: Any, most: int) -> None:
        """Refuse a PredictRequest with more rows than `most`, or with a tensor that is larger than its row may be.

        Raises:
            BadInputError: it has more.
        """
        name = request.model_spec.signature_name or SERVING_DEFAULT
        check_tensors(request.inputs, model.signature(name), 1 if name == DESCRIBE else most)

    def respond(self, call: GraphCall, outputs: GraphOutputs) -> Any:
        """Return the PredictResponse that the outputs make.

        Raises:
            UnsupportedTypeError: a tensor cannot be sent.
        """
        response = PredictResponse()
        for name, array in outputs.items():
            write_tensor(array, response.outputs[name])
        response.model_spec.signature_name = call.signature_name
        return response

"""From a Predict request to its answer: the story."""

from typing import Any

from contract.serving_messages import PredictResponse
from modelserver.loaded_model import LoadedModel
from modelserver.signatures import DEFAULT_SIGNATURE
from modelserver.tensors import to_array, to_tensor


def predict(model: LoadedModel, request: Any) -> Any:
    """Return the PredictResponse to a PredictRequest, without the name and the version of the model.

    Raises:
        ModelServerError: see `LoadedModel.run`; or a tensor that cannot be read or sent.
    """
    signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    inputs = {name: to_array(tensor, name) for name, tensor in request.inputs.items()}
    outputs = model.run(signature_name, inputs, request.output_filter)
    response = PredictResponse(outputs={name: to_tensor(array) for name, array in outputs.items()})
    response.model_spec.signature_name = signature_name
    return response

"""TensorFlow Serving's messages without TensorFlow.

`import tensorflow_serving.apis` loads all of TensorFlow (seconds, and half a gigabyte). The classes here are made
from the descriptors in `serving_messages.binpb`, written by `make messages`, in a descriptor pool of their own; so
TensorFlow may be loaded beside them. The wire format is the same.
"""

from pathlib import Path
from typing import Any

from contract.private_messages import PrivateMessages

DESCRIPTORS = Path(__file__).with_name("serving_messages.binpb")

_messages = PrivateMessages(DESCRIPTORS)
_message = _messages.message

ClassificationRequest = _message("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _message("tensorflow.serving.ClassificationResponse")
Example = _message("tensorflow.Example")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
ModelServerConfig = _message("tensorflow.serving.ModelServerConfig")
ModelSpec = _message("tensorflow.serving.ModelSpec")
ModelVersionStatus = _message("tensorflow.serving.ModelVersionStatus")
MultiInferenceRequest = _message("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = _message("tensorflow.serving.MultiInferenceResponse")
PredictionLog = _message("tensorflow.serving.PredictionLog")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
RegressionRequest = _message("tensorflow.serving.RegressionRequest")
RegressionResponse = _message("tensorflow.serving.RegressionResponse")
ReloadConfigRequest = _message("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = _message("tensorflow.serving.ReloadConfigResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
TensorProto = _message("tensorflow.TensorProto")

VersionState = ModelVersionStatus.State
"""START, LOADING, AVAILABLE, UNLOADING or END, as numbers with `Name` and `Value`."""

DataType = _messages.enum_values("tensorflow.DataType")
"""Numbers of element types by name: `DataType["DT_STRING"].number`."""

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"


def string_tensor(values: list[bytes]) -> Any:
    """Return a TensorProto of dtype string and shape [len(values)]."""
    tensor = TensorProto(dtype=DataType["DT_STRING"].number, string_val=values)
    tensor.tensor_shape.dim.add(size=len(values))
    return tensor

"""The messages of TensorFlow and TensorFlow Serving without TensorFlow.

`import tensorflow_serving.apis` loads all of TensorFlow (seconds, and half a gigabyte). The classes here are made
from the descriptors in `serving_messages.binpb`, written by `make messages`, in a private descriptor pool; so
TensorFlow, which registers the same messages, may be loaded beside them. The wire format is the same.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FILES = descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("serving_messages.binpb").read_bytes())
"""The descriptors of all messages; those that a file depends on come before it."""

_pool = descriptor_pool.DescriptorPool()
for _file in FILES.file:
    _pool.Add(_file)


def _message(name: str) -> Any:  # the classes exist only at run time, so their fields cannot be typed
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


BatchingParameters = _message("tensorflow.serving.BatchingParameters")
ClassificationRequest = _message("tensorflow.serving.ClassificationRequest")
ClassificationResponse = _message("tensorflow.serving.ClassificationResponse")
ConfigProto = _message("tensorflow.ConfigProto")
Example = _message("tensorflow.Example")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _message("tensorflow.serving.GetModelStatusResponse")
GraphDef = _message("tensorflow.GraphDef")
ModelServerConfig = _message("tensorflow.serving.ModelServerConfig")
ModelSpec = _message("tensorflow.serving.ModelSpec")
ModelVersionStatus = _message("tensorflow.serving.ModelVersionStatus")
MonitoringConfig = _message("tensorflow.serving.MonitoringConfig")
MultiInferenceRequest = _message("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse = _message("tensorflow.serving.MultiInferenceResponse")
PredictionLog = _message("tensorflow.serving.PredictionLog")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
RegressionRequest = _message("tensorflow.serving.RegressionRequest")
RegressionResponse = _message("tensorflow.serving.RegressionResponse")
ReloadConfigRequest = _message("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse = _message("tensorflow.serving.ReloadConfigResponse")
SavedModel = _message("tensorflow.SavedModel")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
SSLConfig = _message("tensorflow.serving.SSLConfig")
TensorProto = _message("tensorflow.TensorProto")

VersionState = ModelVersionStatus.State
"""START, LOADING, AVAILABLE, UNLOADING or END, as numbers with `Name` and `Value`."""

DataType = _pool.FindEnumTypeByName("tensorflow.DataType").values_by_name
"""Numbers of element types by name: `DataType["DT_STRING"].number`."""

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"


def string_tensor(values: list[bytes]) -> Any:
    """Return a TensorProto of dtype string and shape [len(values)]."""
    tensor = TensorProto(dtype=DataType["DT_STRING"].number, string_val=values)
    tensor.tensor_shape.dim.add(size=len(values))
    return tensor

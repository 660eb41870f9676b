"""A model server whose models are not of ours: no `describe`, tensors of every type; TensorFlow Serving's real wire.

Its model `tensors` has a signature x -> y, unchanged, for each element type (`fp32`, `bytes`, ...), and these:

    serving_default   pixels UINT8 [-1, 2, 2, 3] -> mean FP32 [-1, 3], size INT32 [-1]
    two               a FP32 [-1, 2], b INT64 [-1] (with a default) -> sum FP32 [-1, 2]
    anything          x FP32 of any shape -> y
    complex           x COMPLEX64 [-1] -> y
    odd               x INT32 [-1] -> y, promised as INT32 and answered as FP32

Answers stand in typed fields, as the real server's do. The tensors are read and written by numpy.
"""

from typing import Any

import grpc
import numpy as np

from contract import serving_messages as messages
from modelserver.model.tensors import to_array
from tests.fakes.served_methods import RejectionError, ServedMethods
from tests.fakes.tensors import to_tensor

MODEL = "tensors"
DTYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "fp16": "HALF",
    "bf16": "BFLOAT16",
    "fp32": "FLOAT",
    "fp64": "DOUBLE",
    "bytes": "STRING",
}
"""TensorFlow's names of the element types by signature."""

_Spec = tuple[str, tuple[int, ...] | None]
_SIGNATURES: dict[str, tuple[dict[str, _Spec], dict[str, _Spec]]] = {
    **{name: ({"x": (dtype, (-1,))}, {"y": (dtype, (-1,))}) for name, dtype in DTYPES.items()},
    "serving_default": ({"pixels": ("UINT8", (-1, 2, 2, 3))}, {"mean": ("FLOAT", (-1, 3)), "size": ("INT32", (-1,))}),
    "two": ({"a": ("FLOAT", (-1, 2)), "b": ("INT64", (-1,))}, {"sum": ("FLOAT", (-1, 2))}),
    "anything": ({"x": ("FLOAT", None)}, {"y": ("FLOAT", None)}),
    "complex": ({"x": ("COMPLEX64", (-1,))}, {"y": ("COMPLEX64", (-1,))}),
    "odd": ({"x": ("INT32", (-1,))}, {"y": ("INT32", (-1,))}),
    "__saved_model_init_op": ({}, {}),
}


class TensorModelServer(ServedMethods):
    """Serves some versions of `MODEL`, from `start` to `stop`.

    `calls` counts what it was asked, by method, and apart from those by the word `describe` what it cannot answer;
    `predict_requests` are the messages of Predict.

    In versions of which `narrow` is true, the input of `serving_default` is UINT8 [-1, 1, 1, 3].
    """

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[int, bool] = {1: False}
        self.predict_requests: list[Any] = []

    def respond_status(self, request: Any) -> Any:
        """List the versions."""
        if request.model_spec.name != MODEL:
            raise _not_found(request.model_spec)
        response = messages.GetModelStatusResponse()
        for version in self.versions:
            response.model_version_status.add(version=version, state=messages.VersionState.Value("AVAILABLE"))
        return response

    def respond_metadata(self, request: Any) -> Any:
        """Describe the signatures of one version."""
        version = self._find(request.model_spec)
        response = messages.GetModelMetadataResponse(model_spec={"name": MODEL, "version": {"value": version}})
        response.metadata["signature_def"].Pack(_definitions(narrow=self.versions[version]))
        return response

    def respond_predict(self, request: Any) -> Any:
        """Answer a question."""
        self.predict_requests.append(request)
        version = self._find(request.model_spec)
        name = request.model_spec.signature_name or "serving_default"
        if name not in _SIGNATURES:
            code = grpc.StatusCode.FAILED_PRECONDITION
            raise RejectionError(code, f'Serving signature key "{name}" not found.')
        inputs = {key: to_array(tensor, key) for key, tensor in request.inputs.items()}
        outputs = _respond(name, inputs)
        response = messages.PredictResponse(model_spec={"name": MODEL, "signature_name": name})
        response.model_spec.version.value = version
        for key in request.output_filter or outputs:
            response.outputs[key].CopyFrom(to_tensor(outputs[key]))
        return response

    def _find(self, spec: Any) -> int:
        version = spec.version.value if spec.HasField("version") else max(self.versions, default=0)
        if spec.name != MODEL or version not in self.versions:
            raise _not_found(spec)
        return version


def _not_found(spec: Any) -> RejectionError:
    wanted = f"Specific({spec.name}, {spec.version.value})" if spec.HasField("version") else f"Latest({spec.name})"
    return RejectionError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")


def _respond(signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if signature == "serving_default":
        pixels = inputs["pixels"]
        sizes = np.full(len(pixels), pixels[0].size, np.int32)
        return {"mean": pixels.mean((1, 2)).astype(np.float32), "size": sizes}
    if signature == "two":
        return {"sum": inputs["a"] + inputs.get("b", np.array([100])).astype(np.float32)[:, None]}
    if signature == "odd":
        return {"y": inputs["x"].astype(np.float32)}
    return {"y": inputs["x"]}


def _definitions(*, narrow: bool) -> Any:
    definitions = messages.SignatureDefMap()
    for name, (inputs, outputs) in _SIGNATURES.items():
        definition = definitions.signature_def[name]
        definition.method_name = "tensorflow/serving/predict"
        for described, specs in ((definition.inputs, inputs), (definition.outputs, outputs)):
            for key, (dtype, shape) in specs.items():
                _describe(described[key], dtype, (-1, 1, 1, 3) if narrow and key == "pixels" else shape)
    definitions.signature_def["two"].defaults["b"].CopyFrom(to_tensor(np.array([100])))
    return definitions


def _describe(information: Any, dtype: str, shape: tuple[int, ...] | None) -> None:
    information.name = "StatefulPartitionedCall:0"
    information.dtype = messages.DataType[f"DT_{dtype}"].number
    information.tensor_shape.unknown_rank = shape is None
    for size in shape or ():
        information.tensor_shape.dim.add(size=size)

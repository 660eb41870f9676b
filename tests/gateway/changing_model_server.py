"""A model server whose model takes something else in each version; TensorFlow Serving's real wire, labels included."""

from typing import Any

import grpc

from contract import serving_messages as messages
from tests.fakes.served_methods import RejectionError, ServedMethods

MODEL = "changing"


class ChangingModelServer(ServedMethods):
    """Serves `MODEL`: each version has one input of `dtypes[version]`, named `x` and the version; it echoes it as `y`.

    `calls` counts what was asked, by method; `rejection`, if set, is what every Predict is answered with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: dict[int, str] = {1: "DT_FLOAT"}
        self.labels: dict[str, int] = {}
        self.rejection: tuple[grpc.StatusCode, str] | None = None

    def respond_status(self, request: Any) -> Any:
        """List the versions."""
        if request.model_spec.name != MODEL:
            raise RejectionError(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        response = messages.GetModelStatusResponse()
        for version in self.dtypes:
            row = response.model_version_status.add(version=version, state=messages.VersionState.Value("AVAILABLE"))
            row.status.error_code = 0  # the real server sets it even so
        return response

    def respond_metadata(self, request: Any) -> Any:
        """Describe the signatures of one version."""
        version = self._find(request.model_spec)
        definitions = messages.SignatureDefMap()
        definition = definitions.signature_def["serving_default"]
        for information in (definition.inputs[f"x{version}"], definition.outputs["y"]):
            information.dtype = messages.DataType[self.dtypes[version]].number
            information.tensor_shape.dim.add(size=-1)
        response = messages.GetModelMetadataResponse(model_spec={"name": MODEL, "version": {"value": version}})
        response.metadata["signature_def"].Pack(definitions)
        return response

    def respond_predict(self, request: Any) -> Any:
        """Answer a question."""
        version = self._find(request.model_spec)
        if request.model_spec.signature_name == "describe":
            raise RejectionError(grpc.StatusCode.FAILED_PRECONDITION, "Serving signature key not found.")
        if self.rejection is not None:
            raise RejectionError(*self.rejection)
        tensor = request.inputs.get(f"x{version}")
        if tensor is None or tensor.dtype != messages.DataType[self.dtypes[version]].number:
            raise RejectionError(grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature")
        response = messages.PredictResponse(model_spec={"name": MODEL, "version": {"value": version}})
        response.outputs["y"].CopyFrom(tensor)
        return response

    def _find(self, spec: Any) -> int:
        if spec.HasField("version_label") and spec.version_label not in self.labels:
            details = f"Unrecognized servable version label: {spec.version_label}"
            raise RejectionError(grpc.StatusCode.INVALID_ARGUMENT, details)
        if spec.HasField("version_label"):
            return self.labels[spec.version_label]
        version = spec.version.value if spec.HasField("version") else max(self.dtypes, default=0)
        if version not in self.dtypes:
            raise RejectionError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        return int(version)

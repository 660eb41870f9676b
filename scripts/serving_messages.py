"""Write `contract/serving_messages.binpb`: the messages that are read without TensorFlow (`make messages`).

Needs `tensorflow-serving-api`, which needs TensorFlow.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf import wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2

TARGET = Path(__file__).parents[1] / "contract" / "serving_messages.binpb"

_ROOTS = (model_service_pb2, prediction_log_pb2, prediction_service_pb2, saved_model_pb2, config_pb2)

_PACKAGE = "tensorflow.serving"
_REPEATED = "repeated "
_SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int64": FieldDescriptorProto.TYPE_INT64,
}
_INT64, _BOOL, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.BoolValue", ".google.protobuf.StringValue"

_CONFIGURATION = {
    "SSLConfig": {"server_key": "string", "server_cert": "string", "custom_ca": "string", "client_verify": "bool"},
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": f".{_PACKAGE}.PrometheusConfig"},
    "BatchingParameters": {
        "max_batch_size": _INT64,
        "batch_timeout_micros": _INT64,
        "max_enqueued_batches": _INT64,
        "num_batch_threads": _INT64,
        "thread_pool_name": _STRING,
        "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": _BOOL,
        "max_execution_batch_size": _INT64,
    },
}
"""TensorFlow Serving's messages for flags, by their fields. tensorflow-serving-api lacks them.

They are read and written in text form only, so the numbers of the fields do not matter.
"""


def descriptors() -> bytes:
    """Return the serialized FileDescriptorSet of all messages and what they depend on, dependencies first."""
    found = FileDescriptorSet(file=_with_dependencies(root.DESCRIPTOR for root in (*_ROOTS, wrappers_pb2)))
    found.file.append(_configuration())
    return found.SerializeToString(deterministic=True)


def _with_dependencies(roots: Iterable[Any]) -> list[FileDescriptorProto]:
    files: dict[str, FileDescriptorProto] = {}

    def add(descriptor: Any) -> None:
        if descriptor.name in files:
            return
        for dependency in sorted(descriptor.dependencies, key=lambda file: file.name):
            add(dependency)
        file = FileDescriptorProto()
        descriptor.CopyToProto(file)
        files[descriptor.name] = file

    for root in roots:
        add(root)
    return list(files.values())


def _configuration() -> FileDescriptorProto:
    file = FileDescriptorProto(
        name="modelserver_configuration.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, fields in _CONFIGURATION.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            message.field.append(_field(field, number, kind))
    return file


def _field(name: str, number: int, kind: str) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if kind.startswith(_REPEATED) else FieldDescriptorProto.LABEL_OPTIONAL
    field = FieldDescriptorProto(name=name, number=number, label=label)
    if scalar := _SCALARS.get(kind.removeprefix(_REPEATED)):
        field.type = scalar
    else:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, kind
    return field


if __name__ == "__main__":
    TARGET.write_bytes(descriptors())
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")

"""Configuration files that hold one protobuf message in text form, and the messages no package ships."""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from modelserver.errors import BadSettingError

_PACKAGE = "tensorflow.serving"
_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {"string": _Field.TYPE_STRING, "bool": _Field.TYPE_BOOL, "int64": _Field.TYPE_INT64}
_REPEATED = "repeated "

_FIELDS = {
    "SSLConfig": {"server_key": "string", "server_cert": "string", "custom_ca": "string", "client_verify": "bool"},
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": "PrometheusConfig"},
    "Int64Value": {"value": "int64"},
    "BoolValue": {"value": "bool"},
    "StringValue": {"value": "string"},
    "BatchingParameters": {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
    },
}
"""TensorFlow Serving's messages for flags; tensorflow-serving-api has them not, and text form needs no numbers."""


def read_text_message(path: Path, kind: Any, what: str) -> Any:
    """Return the message of class `kind` that the file at `path` holds; `what` names the file's purpose in errors.

    Raises:
        BadSettingError: the file cannot be read, or is no such message.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), kind())
    except OSError as error:
        raise BadSettingError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise BadSettingError(f"{path} is no {kind.DESCRIPTOR.name} in text form: {error}") from error


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="modelserver_configs.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = message.field.add(name=field, number=number, label=_Field.LABEL_OPTIONAL)
            if kind.startswith(_REPEATED):
                added.label = _Field.LABEL_REPEATED
            scalar = _KINDS.get(kind.removeprefix(_REPEATED))
            if scalar:
                added.type = scalar
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


_made = _classes()
BatchingParameters: Any = _made["BatchingParameters"]
MonitoringConfig: Any = _made["MonitoringConfig"]
SSLConfig: Any = _made["SSLConfig"]

"""Write the descriptors of TensorFlow Serving's messages to `contract/serving_messages.binpb` (`make messages`).

Needs `tensorflow-serving-api`, which needs TensorFlow; the file it writes is read without either.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2

TARGET = Path(__file__).parents[1] / "contract" / "serving_messages.binpb"
_ROOTS = (model_service_pb2, prediction_log_pb2, prediction_service_pb2)


def serving_messages() -> bytes:
    """Return the serialized FileDescriptorSet of the services and all they depend on, dependencies first."""
    files: dict[str, Any] = {}

    def add(descriptor: Any) -> None:
        if descriptor.name not in files:
            for dependency in sorted(descriptor.dependencies, key=lambda found: found.name):
                add(dependency)
            files[descriptor.name] = descriptor

    for root in _ROOTS:
        add(root.DESCRIPTOR)
    descriptors = FileDescriptorSet()
    for descriptor in files.values():
        descriptor.CopyToProto(descriptors.file.add())
    return descriptors.SerializeToString(deterministic=True)


if __name__ == "__main__":
    TARGET.write_bytes(serving_messages())
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")

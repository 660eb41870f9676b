"""Write the descriptors of messages that are read without TensorFlow (`make messages`).

Those of TensorFlow Serving go to `contract/serving_messages.binpb`, those of graphs to
`modelserver/graph_messages.binpb`. Needs `tensorflow-serving-api`, which needs TensorFlow.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2

_PROJECT = Path(__file__).parents[1]

TARGETS = {
    _PROJECT / "contract" / "serving_messages.binpb": (model_service_pb2, prediction_log_pb2, prediction_service_pb2),
    _PROJECT / "modelserver" / "graph_messages.binpb": (saved_model_pb2, config_pb2),
}
"""The files, and what each holds with all that it depends on."""


def descriptors(roots: Iterable[Any]) -> bytes:
    """Return the serialized FileDescriptorSet of the roots and all they depend on, dependencies first."""
    files: dict[str, Any] = {}

    def add(descriptor: Any) -> None:
        if descriptor.name not in files:
            for dependency in sorted(descriptor.dependencies, key=lambda found: found.name):
                add(dependency)
            files[descriptor.name] = descriptor

    for root in roots:
        add(root.DESCRIPTOR)
    found = FileDescriptorSet()
    for descriptor in files.values():
        descriptor.CopyToProto(found.file.add())
    return found.SerializeToString(deterministic=True)


if __name__ == "__main__":
    for target, roots in TARGETS.items():
        target.write_bytes(descriptors(roots))
        print(f"{target.name}: {target.stat().st_size:,} bytes")

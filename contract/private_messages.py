"""Protocol buffers of TensorFlow without TensorFlow: from descriptors in a file, in a pool of their own.

So TensorFlow, which registers the same messages, may be loaded beside them. The wire format is the same.
"""

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class PrivateMessages:
    """The messages of a serialized FileDescriptorSet, whose dependencies come first."""

    def __init__(self, descriptors: Path) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file:
            self._pool.Add(file)

    def message(self, name: str) -> Any:  # the classes exist only at run time, so their fields cannot be typed
        """Return the class of the message with this full name."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    def enum_values(self, name: str) -> Any:
        """Return the values of the enumeration with this full name, by their names."""
        return self._pool.FindEnumTypeByName(name).values_by_name

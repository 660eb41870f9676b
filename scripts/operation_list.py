"""Print the operations that the installed TensorFlow knows, one a line with its attributes.

`exporter/saved_model/tensorflow_2_18_operations.txt` is what this printed under tensorflow-cpu 2.18.1, in an
environment of its own:

    python -m venv old
    old/bin/pip install tensorflow-cpu==2.18.1
    old/bin/python scripts/operation_list.py
"""

from collections.abc import Iterator

from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session


def operations() -> Iterator[str]:
    """Yield a line for each operation, by name: the name, then its attributes' names."""
    known = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    for operation in sorted(known.op, key=lambda operation: operation.name):
        if not operation.name.startswith("_"):
            yield " ".join([operation.name, *(attribute.name for attribute in operation.attr)])


if __name__ == "__main__":
    print("\n".join(operations()))

"""Whether the oldest TensorFlow Serving that is supported knows everything in a graph, and what servers decode."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from contract.image_input import Encoding
from contract.manifest import ServingTarget
from exporter.errors import OperationError
from exporter.saved_model.tensorflow_internals import SavedModelMessage

OLDEST_SERVING = "2.18"
OLDEST_GRAPH_VERSION = 1994
"""Of TensorFlow 2.18; a graph that asks for a newer consumer is refused there."""

Target = Literal["tensorflow-serving", "graft"]
"""The servers that a version can be exported for: TensorFlow Serving, 2.18 or newer, or `graft modelserver` alone."""

_DECODED_BY: dict[Encoding, str] = {"webp": "DecodeWebP"}
"""The operation that TensorFlow has since it decodes a type; all others are older than any version that matters."""

_LIST = Path(__file__).with_name("tensorflow_2_18_operations.txt")


def check_operations(folder: Path) -> None:
    """Check that TensorFlow Serving 2.18 knows every operation and attribute of the SavedModel in `folder`.

    Raises:
        OperationError: it does not.
    """
    if unknown := unknown_operations(folder):
        raise OperationError(
            f"TensorFlow Serving {OLDEST_SERVING} cannot run this model: it does not know {', '.join(unknown)}; "
            "nothing was published. Take a network without it."
        )


def unknown_operations(folder: Path) -> list[str]:
    """Return what TensorFlow 2.18 does not know of the SavedModel in `folder`, functions included, sorted.

    An entry is the name of an operation, of an operation and its attribute, or a graph version.
    """
    model = SavedModelMessage.FromString((folder / "saved_model.pb").read_bytes())
    return sorted({entry for graph in model.meta_graphs for entry in _unknown_in(graph.graph_def)})


def serving_target(target: Target) -> ServingTarget:
    """Return what the manifest says of a target: our server decodes every type, TensorFlow Serving what it knows."""
    every: tuple[Encoding, ...] = get_args(Encoding)
    if target == "graft":
        return ServingTarget(server="graft modelserver", encodings=every)
    known = known_operations()
    decoded = tuple(each for each in every if each not in _DECODED_BY or _DECODED_BY[each] in known)
    return ServingTarget(server=f"TensorFlow Serving {OLDEST_SERVING}", encodings=decoded)


def _unknown_in(graph: Any) -> Iterator[str]:
    if graph.versions.min_consumer > OLDEST_GRAPH_VERSION:
        yield f"graph version {graph.versions.min_consumer}"
    own = {function.signature.name for function in graph.library.function}
    for node in _nodes(graph):
        attributes = known_operations().get(node.op)
        if attributes is None:
            if node.op not in own:
                yield node.op
        else:
            # defaults are left out of a SavedModel; what begins with an underscore is a hint that may be ignored
            yield from (f"{node.op}.{name}" for name in node.attr if name[0] != "_" and name not in attributes)


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


@cache
def known_operations() -> dict[str, frozenset[str]]:
    """Return the attributes of each operation of TensorFlow 2.18, by name."""
    lines = [line.split() for line in _LIST.read_text().splitlines() if not line.startswith("#")]
    return {name: frozenset(attributes) for name, *attributes in lines}

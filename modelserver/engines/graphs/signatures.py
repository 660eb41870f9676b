"""The part of a SavedModel that one signature needs: a separate graph, which loads without the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from contract.serving_messages import GraphDef, SavedModel, SignatureDefMap
from modelserver.errors import LoadError
from modelserver.model.signatures import shapes_of

_TAG = "serve"
_NEEDS_MORE = {"VarHandleOp", "VariableV2", "HashTableV2", "HashTable"}
"""Operations whose values come from the version's other files when TensorFlow loads it."""


@dataclass(frozen=True)
class SignatureGraph:
    """A graph, and where the signature's inputs and outputs are in it: names of tensors as in `node:0`."""

    definition: bytes
    """A serialized GraphDef."""
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    output_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of the outputs whose rank is known, -1 where a size is not."""


class SavedGraphs:
    """The graph of the SavedModel in a folder, from which signatures are cut out.

    Raises:
        LoadError: the file cannot be read, or has no graph for serving.
    """

    def __init__(self, folder: Path) -> None:
        self._graph = _graph_for_serving(folder / "saved_model.pb")

    @property
    def definitions(self) -> Any:
        """All signatures as a SignatureDefMap of `contract.serving_messages`."""
        return SignatureDefMap(signature_def=self._graph.signature_def)

    def cut_out(self, signature_name: str) -> SignatureGraph:
        """Return the graph of one signature.

        Raises:
            LoadError: there is no such signature, or it needs more than the graph.
        """
        if signature_name not in self._graph.signature_def:
            raise LoadError(f"The SavedModel has no signature {signature_name}; export the run again.")
        definition = self._graph.signature_def[signature_name]
        inputs = {name: info.name for name, info in definition.inputs.items()}
        outputs = {name: info.name for name, info in definition.outputs.items()}
        cut = _with_what_it_needs(self._graph.graph_def, [*inputs.values(), *outputs.values()])
        if missing := _NEEDS_MORE & {node.op for node in _all_nodes(cut)}:
            raise LoadError(f"The signature {signature_name} has {', '.join(sorted(missing))}, and not only constants.")
        return SignatureGraph(cut.SerializeToString(), inputs, outputs, shapes_of(definition.outputs))


def _graph_for_serving(path: Path) -> Any:
    try:
        saved_model = SavedModel.FromString(path.read_bytes())
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from error
    except DecodeError as error:
        raise LoadError(f"{path} is not a SavedModel: {error}.") from error
    graphs = [graph for graph in saved_model.meta_graphs if _TAG in graph.meta_info_def.tags]
    if not graphs:
        raise LoadError(f"{path} has no graph with the tag {_TAG!r}.")
    return graphs[0]


def _with_what_it_needs(graph: Any, tensors: list[str]) -> Any:
    nodes = {node.name: node for node in graph.node}
    functions = {function.signature.name: function for function in graph.library.function}
    wanted = [_node_of(tensor) for tensor in tensors]
    kept_nodes = _closure(wanted, lambda name: map(_node_of, nodes[name].input))
    used = [name for node in kept_nodes for name in _functions_of(nodes[node])]
    kept_functions = _closure(
        [name for name in used if name in functions],
        lambda name: (used for node in functions[name].node_def for used in _functions_of(node) if used in functions),
    )
    return GraphDef(
        versions=graph.versions,
        node=[node for node in graph.node if node.name in kept_nodes],
        library={"function": [each for each in graph.library.function if each.signature.name in kept_functions]},
    )


def _closure(start: list[str], needs: Any) -> set[str]:
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs(name))
    return found


def _node_of(tensor: str) -> str:
    """Return the node's name of `node:0`, of `node`, or of a control input `^node`."""
    return tensor.removeprefix("^").partition(":")[0]


def _functions_of(node: Any) -> Iterator[str]:
    """Yield what may be functions of the library: the operation itself, and those that it gets as attributes."""
    yield node.op
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        for function in attribute.list.func:
            yield function.name


def _all_nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def

"""The inputs and outputs of one signature, and the checks of requests against them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from modelserver.errors import BadInputError
from modelserver.model.tensors import Array, data_type_name, data_type_of, to_array


class ServedSignature:
    """A SignatureDef (of `contract.serving_messages`) and the checks that TensorFlow Serving makes by it.

    The texts are TensorFlow Serving's. The sizes of dimensions are not checked, as there: only an operation that
    minds refuses a tensor.
    """

    def __init__(self, definition: Any) -> None:
        self.inputs: dict[str, Any] = {name: definition.inputs[name] for name in sorted(definition.inputs)}
        """A TensorInfo by input name, in the order of the names, which is that of the graph's arguments."""
        self.outputs = sorted(definition.outputs)
        self.output_shapes: dict[str, tuple[int, ...]] = shapes_of(definition.outputs)
        """Of the outputs whose rank is known, -1 where a size is not."""
        self._input_shapes = shapes_of(definition.inputs)
        self._defaults = {name: to_array(tensor, name) for name, tensor in definition.defaults.items()}

    def input_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an input, -1 where a size is not known; nothing where its rank is not, or it is none."""
        return self._input_shapes.get(name, ())

    def check_names(self, names: Collection[str]) -> None:
        """Refuse more or fewer inputs than there are, before they are read.

        Raises:
            BadInputError: there are too many, or too few.
        """
        fewest = len(self.inputs) - len(self._defaults)
        if not fewest <= len(names) <= len(self.inputs):
            raise BadInputError(self._size_text(set(names)))

    def arguments(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Return the arrays for the graph, in the order of `self.inputs`, defaults filled in.

        Raises:
            BadInputError: an input is missing, too many were sent, or one has another dtype.
        """
        self.check_names(inputs)
        given = {**self._defaults, **inputs}
        for position, (name, info) in enumerate(self.inputs.items()):
            if name not in given:
                raise BadInputError(
                    f"Signature input alias: {name}(feed name: {info.name}) not found in request and no default "
                    f"value provided. Inputs expected to be in the request {_set(inputs)}, or default input "
                    f"alias set: {','.join(sorted(self._defaults))}"
                )
            sent = data_type_of(given[name])
            if sent != info.dtype:
                raise BadInputError(
                    f"Expects arg[{position}] to be {data_type_name(info.dtype)} but {data_type_name(sent)} is provided"
                )
        return [given[name] for name in self.inputs]

    def wanted_outputs(self, output_filter: Iterable[str]) -> list[str]:
        """Return the names in the filter, or all outputs where it is empty.

        Raises:
            BadInputError: the filter names an output twice, or one that the signature does not have.
        """
        wanted: list[str] = []
        for name in output_filter:
            if name not in self.outputs:
                raise BadInputError(
                    f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                    f"{_set(self.outputs)}."
                )
            if name in wanted:
                raise BadInputError(f"duplicate output tensor alias: {name}")
            wanted.append(name)
        return wanted or self.outputs

    def _size_text(self, sent: set[str]) -> str:
        expected = set(self.inputs)
        return (
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_set(sent)}) != "
            f"len({_set(expected)}). Sent extra: {_set(sent - expected)}. "
            f"Missing but required: {_set(expected - sent - set(self._defaults))}."
        )


def shapes_of(outputs: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each TensorInfo whose rank is known, -1 where a size is not."""
    return {
        name: tuple(dim.size for dim in info.tensor_shape.dim)
        for name, info in outputs.items()
        if info.HasField("tensor_shape") and not info.tensor_shape.unknown_rank
    }


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"

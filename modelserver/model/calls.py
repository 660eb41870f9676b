"""One run of a graph on behalf of requests: what goes in, and whose rows come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelserver.errors import BadInputError, BatchedOutputError
from modelserver.model.cancellation import Tokens
from modelserver.model.spans import RUN, CallSpans, TracedWork
from modelserver.model.tensors import Array

_UNTRACED = TracedWork(RUN, (), {})


@dataclass(frozen=True, eq=False)
class GraphCall:
    """The arguments of one signature, checked against it."""

    signature_name: str
    arguments: tuple[Array, ...]
    """In the order of the graph's arguments; of the signature's dtypes, strings as object arrays of `bytes`."""
    outputs: tuple[str, ...]
    """The names of the outputs that are wanted."""
    filtered: bool = False
    """Whether the signature has more outputs than are wanted."""
    tokens: Tokens = ()
    """Of those that wait for the outputs."""
    spans: CallSpans = ()
    """Of those that are traced."""
    requests: int = 1
    """How many of them this is for."""

    @property
    def inner_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the rows; calls can share a run only where these agree."""
        return tuple(argument.shape[1:] for argument in self.arguments)

    def rows(self) -> int:
        """Return the size of the first dimension, which all arguments have to share. Texts are TensorFlow Serving's.

        Raises:
            BadInputError: an argument has no dimension, or there are different first ones, or no argument.
        """
        if not self.arguments:
            raise BadInputError("Batching Run() must have at least one input tensor")
        for argument in self.arguments:
            if argument.ndim == 0:
                raise BadInputError("Batching Run() input tensors must have at least one dimension")
            if len(argument) != len(self.arguments[0]):
                raise BadInputError("Batching Run() input tensors must have equal 0th-dimension size")
        return len(self.arguments[0])

    def traced(self, engine: str) -> TracedWork:
        """Return the context of its run, whose spans say how many rows are run by what, and for how many requests."""
        if not self.spans:
            return _UNTRACED
        rows = max((len(argument) for argument in self.arguments if argument.ndim), default=1)
        about = {"graft.engine": engine, "graft.signature": self.signature_name}
        return TracedWork(RUN, self.spans, {**about, "graft.rows": rows, "graft.requests": self.requests})

    def pieces(self, size: int) -> "list[GraphCall]":
        """Return calls of `size` rows, the last of what is left, with views of the arguments; none is `filtered`."""
        return [
            replace(self, arguments=tuple(each[start : start + size] for each in self.arguments), filtered=False)
            for start in range(0, self.rows(), size)
        ]


GraphOutputs = Mapping[str, Array]
RunGraph = Callable[[GraphCall], GraphOutputs]


def merged(calls: Sequence[GraphCall], size: int) -> GraphCall:
    """Return one call with the rows of all, in their order; repeats the first row of the last call up to `size` rows.

    The calls are of one signature and of rows of one shape; at least one row is there to repeat. The arguments of a
    lone call that needs no more rows are not copied.
    """
    first, last = calls[0], calls[-1]
    missing = size - sum(len(call.arguments[0]) for call in calls)
    if len(calls) == 1 and missing == 0:
        return first
    columns = zip(*(call.arguments for call in calls), strict=True)
    padding = [np.repeat(argument[:1], missing, axis=0) for argument in last.arguments]
    arguments = (np.concatenate([*column, more]) for column, more in zip(columns, padding, strict=True))
    outputs = dict.fromkeys(name for call in calls for name in call.outputs)
    # a call without a token is always wanted, and so is what it is part of
    tokens = [token for call in calls for token in call.tokens] if all(call.tokens for call in calls) else ()
    return GraphCall(
        first.signature_name,
        tuple(arguments),
        tuple(outputs),
        tokens=tokens,
        spans=[span for call in calls for span in call.spans],
        requests=len(calls),
    )


def joined(outputs: Sequence[GraphOutputs]) -> dict[str, Array]:
    """Return the outputs of a call that was run in pieces."""
    if len(outputs) == 1:
        return dict(outputs[0])
    return {name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}


def split(outputs: GraphOutputs, calls: Sequence[GraphCall], size: int) -> list[GraphOutputs]:
    """Return each call's rows of what came out of the merged one, as views; rows that were added are left out.

    Raises:
        BatchedOutputError: an output does not have `size` rows.
    """
    for output in outputs.values():
        if output.ndim == 0:
            raise BatchedOutputError("Batched output tensor has 0 dimensions")
        if len(output) != size:
            raise BatchedOutputError(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                "input tensors"
            )
    parts: list[GraphOutputs] = []
    start = 0
    for call in calls:
        end = start + len(call.arguments[0])
        parts.append({name: outputs[name][start:end] for name in call.outputs})
        start = end
    return parts

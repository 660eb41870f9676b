"""One batch on its thread: requests in one run of the graph, and apart where that does not work."""

from collections.abc import Sequence

from modelserver.errors import BatchedOutputError, CallCancelledError, ServingError
from modelserver.model.calls import GraphCall, GraphOutputs, RunGraph, merged, split
from modelserver.model.cancellation import check_wanted, is_wanted

BatchedResult = GraphOutputs | ServingError
"""What a call of a batch comes to."""


def run_batch(run: RunGraph, calls: Sequence[GraphCall], allowed_sizes: Sequence[int]) -> list[BatchedResult]:
    """Return each call's outputs, or what is wrong with it, in the order of the calls.

    They share a run of the graph. Where that fails, each has a run of its own, so that only the call that
    caused the failure gets an error; in TensorFlow Serving all of them would.

    A call that nobody waits for any more is left out, and gets an error.
    """
    wanted = [call for call in calls if is_wanted(call.tokens)]
    results = {id(call): result for call, result in zip(wanted, _results(run, wanted, allowed_sizes), strict=True)}
    left = CallCancelledError("The caller left before the batch ran.")
    return [results.get(id(call), left) for call in calls]


def _results(run: RunGraph, calls: Sequence[GraphCall], allowed_sizes: Sequence[int]) -> list[BatchedResult]:
    if len(calls) > 1:
        size = _padded_size(sum(call.rows() for call in calls), allowed_sizes)
        try:
            return list(split(run(merged(calls, size)), calls, size))
        except ServingError:
            pass  # which call caused it is not known
    return [_result(run, call, allowed_sizes) for call in calls]


def run_alone(run: RunGraph, call: GraphCall, allowed_sizes: Sequence[int] = ()) -> GraphOutputs:
    """Run one call by itself, with rows added up to an allowed size, and return its outputs.

    A call without rows has none to repeat, so `allowed_sizes` must be empty for it.

    Raises:
        CallCancelledError: nobody waits for the outputs.
        BatchedOutputError: an output does not have as many rows as the inputs. Where outputs are filtered this is
            allowed, for TensorFlow Serving never batches those.
        ServingError: the graph refused or failed.
    """
    check_wanted(call.tokens)
    size = _padded_size(call.rows(), allowed_sizes)
    try:
        (outputs,) = split(run(merged([call], size)), [call], size)
    except BatchedOutputError:
        if not call.filtered:
            raise
        return run(call)
    return outputs


def _result(run: RunGraph, call: GraphCall, allowed_sizes: Sequence[int]) -> BatchedResult:
    try:
        return run_alone(run, call, allowed_sizes)
    except ServingError as error:
        return error


def _padded_size(rows: int, allowed_sizes: Sequence[int]) -> int:
    return next((size for size in allowed_sizes if size >= rows), rows)

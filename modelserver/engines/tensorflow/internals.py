"""What the model server takes of TensorFlow that TensorFlow does not document, all in one place.

TensorFlow has no public way to stop a function that runs. Its own context for that is a global variable, which is not
for several threads at once; so a function is called by its name, as TensorFlow's `Context.call_function` does.
"""

from collections.abc import Sequence
from typing import Any

from tensorflow.python.eager import context, execute
from tensorflow.python.eager.cancellation import CancellationManager

__all__ = ["CancellableFunction", "CancellationManager"]


class CancellableFunction:
    """A ConcreteFunction that returns a dictionary, called so that it can be cancelled from another thread."""

    def __init__(self, function: Any) -> None:
        self._function = function  # while it lives, TensorFlow knows it by its name
        self._name = function.function_def.signature.name
        self._outputs = sorted(function.structured_outputs)

    def __call__(self, tensors: Sequence[Any], cancellation: Any) -> dict[str, Any]:
        """Return the outputs by name; `cancellation` is a CancellationManager.

        Raises:
            tensorflow.errors.OpError: an operation failed; CancelledError where it was cancelled.
        """
        running = context.context()
        attributes = running.function_call_options.as_attrs().items()
        outputs = execute.execute_with_cancellation(
            self._name,
            num_outputs=len(self._outputs),
            inputs=[*tensors, *self._function.captured_inputs],
            attrs=tuple(part for pair in attributes for part in pair),
            ctx=running,
            cancellation_manager=cancellation,
        )
        return dict(zip(self._outputs, outputs, strict=True))

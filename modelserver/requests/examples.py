"""The tf.Example records that Classify, Regress and MultiInference get."""

from typing import Any

import numpy as np

from modelserver.errors import BadInputError
from modelserver.model.model_version import Model
from modelserver.model.signatures import DEFAULT_SIGNATURE
from modelserver.model.tensors import Array

INPUT = "inputs"
"""The one input of a signature for examples."""


def serialized_examples(given: Any) -> Array:
    """Return a `tensorflow.serving.Input` as an object array [N] of serialized examples, as graphs parse them.

    A context is put before each example: of two values of one feature in a serialized message the later one holds,
    so that the example's own features win.

    Raises:
        BadInputError: there is no example; a context alone is none.
    """
    context, examples = b"", given.example_list.examples
    if given.WhichOneof("kind") == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    if not examples:
        raise BadInputError("Input is empty.")
    rows = np.empty(len(examples), np.object_)
    rows[:] = [context + example.SerializeToString() for example in examples]
    return rows


def signature_for_examples(model: Model, spec: Any) -> tuple[str, Any]:
    """Return the name and the SignatureDef of the signature that a ModelSpec asks for.

    Raises:
        BadInputError: the model has no such signature.
    """
    name = spec.signature_name or DEFAULT_SIGNATURE
    definitions = model.signature_definitions.signature_def
    if name not in definitions:  # Predict words this otherwise, and with another status; so does the real server
        raise BadInputError(f"No signature was found with the name: {name}")
    return name, definitions[name]

"""Requests over tf.Example records: what Classify, Regress and the tasks of MultiInference have in common.

The texts of errors are TensorFlow Serving's.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from contract.signatures import SERVING_DEFAULT
from modelserver.errors import BadInputError
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.tensors import Array
from modelserver.model.version import Model
from modelserver.requests.handler import RequestHandler
from modelserver.requests.row_limits import check_examples

INPUT = "inputs"
"""The one input of a signature over examples."""


class ExamplesHandler(RequestHandler):
    """Reads a request over examples for one kind of signature, and makes a response with one result per example."""

    method: ClassVar[str]
    """The kind of signature, as a SignatureDef and a task of MultiInference name it."""
    noun: ClassVar[str]
    """The kind of signature in error messages and, with `_result` behind it, the result's field of a task."""
    response_class: ClassVar[Any]

    def read(self, model: Model, request: Any) -> GraphCall:
        """Return the call of the graph that a request needs.

        Raises:
            ServingError: the signature is missing or of another kind, or there is no example.
        """
        name = request.model_spec.signature_name or SERVING_DEFAULT
        definitions = model.signature_definitions.signature_def
        if name not in definitions:  # Predict has another text and status, as in TensorFlow Serving
            raise BadInputError(f"No signature was found with the name: {name}")
        outputs = self.outputs_of(definitions[name])
        return model.check(name, {INPUT: serialized_examples(request.input)}, outputs)

    def check_rows(self, model: Model, request: Any, most: int) -> None:
        """Refuse a request over more than `most` examples.

        Raises:
            BadInputError: it has more, or its context would be copied too often.
        """
        check_examples(request.input, most)

    def respond(self, call: GraphCall, outputs: GraphOutputs) -> Any:
        """Return the response that the outputs make.

        Raises:
            ServingError: they do not fit into a result.
        """
        response = self.response_class()
        self.add_results(response.result, outputs, call.rows())
        response.model_spec.signature_name = call.signature_name
        return response

    def outputs_of(self, definition: Any) -> list[str]:
        """Return the outputs of a SignatureDef that make a result.

        Raises:
            BadInputError: the signature is of another kind.
        """
        if len(definition.inputs) != 1:
            raise BadInputError("Expected one input Tensor.")
        self.check_number_of_outputs(len(definition.outputs))
        if INPUT not in definition.inputs:
            raise BadInputError(f"No {self.noun} inputs found in SignatureDef: {definition}")
        return self.named_outputs(definition)

    @abstractmethod
    def check_number_of_outputs(self, number: int) -> None:
        """Refuse a signature with another number of outputs.

        Raises:
            BadInputError: a signature of this kind has another number.
        """

    @abstractmethod
    def named_outputs(self, definition: Any) -> list[str]:
        """Return the outputs of a SignatureDef that have the names of this kind.

        Raises:
            BadInputError: none has.
        """

    @abstractmethod
    def add_results(self, result: Any, outputs: Mapping[str, Array], rows: int) -> None:
        """Add one result for each of `rows` examples to the message `result`.

        Raises:
            ServingError: the outputs do not fit into a result.
        """


def serialized_examples(given: Any) -> Array:
    """Return a `tensorflow.serving.Input` as an object array [N] of serialized examples, as graphs parse them.

    A context is put before each example: where a serialized message has two values of one feature, the later one
    holds, so that the example's own features win.

    Raises:
        BadInputError: there is no example; a context alone is not one.
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

"""One version of a model in memory, whatever runs its network."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from modelserver.errors import SignatureNotFoundError
from modelserver.model.calls import GraphCall
from modelserver.model.decoded_images import RowDecoder
from modelserver.model.signatures import ServedSignature
from modelserver.model.tensors import Array


class Model(ABC):
    """A SavedModel in memory; safe to use from several threads at once.

    `definitions` are its signatures as a SignatureDefMap of `contract.serving_messages`; only `names` can be called.
    """

    engine: ClassVar[str]
    """The name of what runs the network, for people."""
    gains_from_batches: ClassVar[bool]
    """Whether rows are cheaper together."""
    image_decoder: RowDecoder | None = None
    """Decodes images apart from the network, where the version can do that."""

    def __init__(self, definitions: Any, names: Iterable[str]) -> None:
        self.signature_definitions = definitions
        self.signatures = {name: ServedSignature(definitions.signature_def[name]) for name in names}

    def run(
        self, signature_name: str, inputs: Mapping[str, Array], output_filter: Iterable[str] = ()
    ) -> dict[str, Array]:
        """Run one signature and return its outputs by name: all of them, or those in `output_filter`.

        Arrays have the dtypes of the signature; strings are object arrays of `bytes`.

        Raises:
            ServingError: see `check` and `call`.
        """
        return self.call(self.check(signature_name, inputs, output_filter))

    def check(self, signature_name: str, inputs: Mapping[str, Array], output_filter: Iterable[str] = ()) -> GraphCall:
        """Return the argument of `call` for a request, with defaults filled in.

        Raises:
            SignatureNotFoundError: the model has no such signature.
            BadInputError: the inputs or the filter do not fit the signature.
        """
        signature = self.signature(signature_name)
        arguments = tuple(signature.arguments(inputs))
        outputs = tuple(signature.wanted_outputs(output_filter))
        return GraphCall(signature_name, arguments, outputs, filtered=len(outputs) < len(signature.outputs))

    def signature(self, name: str) -> ServedSignature:
        """Return a signature by its name.

        Raises:
            SignatureNotFoundError: the model has no such signature.
        """
        if name not in self.signatures:
            raise SignatureNotFoundError(f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    @abstractmethod
    def call(self, call: GraphCall) -> dict[str, Array]:
        """Run one signature and return the outputs that are wanted, by name.

        It ends early once nobody waits for the call, in the middle of a row or before the next one.

        Raises:
            CallCancelledError: nobody waits for it.
            BadInputError: an operation refuses the inputs.
            OutOfResourcesError: an operation could not get its memory.
            GraphError: an operation failed for another reason.
        """

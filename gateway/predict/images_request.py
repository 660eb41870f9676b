"""Encoded images on their way to the model server."""

from collections.abc import Sequence
from typing import Any

from contract import serving_messages as messages
from contract.signatures import IMAGE_INPUT
from contract.wire_format import field_head

_STRING = messages.DataType["DT_STRING"].number
_INPUTS = messages.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
_STRING_VAL = messages.TensorProto.DESCRIPTOR.fields_by_name["string_val"].number
_KEY, _VALUE = 1, 2  # of an entry of any map


class ImagesRequest:
    """A PredictRequest for encoded images, at least one, which are copied once, into the bytes that are sent.

    A message would copy them twice more, and Python's lock is held meanwhile: 20 ms for 19 MB. `message` has all but
    their bytes. It requests all outputs: TensorFlow Serving batches only requests for a whole signature.
    """

    def __init__(self, images: Sequence[bytes]) -> None:
        self._images = images
        self.message = messages.PredictRequest()
        tensor = self.message.inputs[IMAGE_INPUT]
        tensor.dtype = _STRING
        tensor.tensor_shape.dim.add(size=len(images))

    @property
    def model_spec(self) -> Any:
        """The ModelSpec, which the caller fills."""
        return self.message.model_spec

    def SerializeToString(self) -> bytes:  # noqa: N802 - as of any message
        """Return the bytes of the PredictRequest on the wire: the images are appended to its one tensor."""
        tensor = [self.message.inputs[IMAGE_INPUT].SerializeToString()]
        for image in self._images:
            tensor += [field_head(_STRING_VAL, len(image)), image]
        key = IMAGE_INPUT.encode()
        entry = [field_head(_KEY, len(key)), key, field_head(_VALUE, sum(map(len, tensor))), *tensor]
        rest = messages.PredictRequest(model_spec=self.model_spec).SerializeToString()
        return b"".join([rest, field_head(_INPUTS, sum(map(len, entry))), *entry])

"""Text where a model takes encoded images, in JSON: no text is an image, though it may stand for one."""

from contract.signatures import IMAGE_INPUT
from gateway.predict.model_signatures import Signature

_VALID_OUTPUT = "valid"
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF")


def takes_images(signature: Signature) -> bool:
    """Return whether a signature is one of ours that takes encoded images: `image_bytes` to `valid`, among others.

    Another model's input of that name may well be text.
    """
    return IMAGE_INPUT in signature.inputs and _VALID_OUTPUT in signature.outputs


def may_be_image(content: bytes) -> bool:
    """Return whether bytes begin as an image of a kind that any model decodes."""
    return content.startswith(_STARTS)

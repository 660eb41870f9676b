"""The images of a JSON body: `{"images": [{"b64": "..."}]}`."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contract.process.interpreter_turns import PIECE_BYTES, length_without
from gateway.errors import BadEncodingError, BadJsonError, NoImageError, TooManyImagesError
from gateway.http.base64_text import decode_image_text, without_data_url
from gateway.predict.prediction import EncodedImage, UnreadableImage

_URL_SAFE = str.maketrans("-_", "+/")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/_\-\s]")
_SHOWN_CHARACTERS = 20
_RED_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mM4IWcDAALUASNMnwvaAAAAAElFTkSuQmCC"


class ImageInJson(BaseModel):
    """One image."""

    b64: str = Field(description="Base64 of the file in either alphabet, padded or not, or a data URL.")
    name: str | None = Field(
        None, description="Returned with the image's error, if it has one, up to 1,000 characters."
    )


class ImagesBody(BaseModel):
    """The JSON body of a predict request; `read_images` parses it, with each image's error in its place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "images": [
                        {
                            "b64": _RED_PNG,
                            "name": "red.png",
                        }
                    ]
                }
            ]
        }
    )

    images: list[ImageInJson] = Field(min_length=1)


def read_images(content: Any, max_images: int) -> list[EncodedImage | UnreadableImage]:
    """Return the images of a JSON body, at least one, in order; one that is not base64 is an `UnreadableImage`.

    Raises:
        BadJsonError: the body has another structure.
        NoImageError: the list is empty.
        TooManyImagesError: it has more than `max_images`.
    """
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise BadJsonError('The JSON body must look like {"images": [{"b64": "..."}]}.')
    if not images:
        raise NoImageError("The list of images is empty.")
    if len(images) > max_images:
        raise TooManyImagesError(f"At most {max_images} images are accepted in one request.")
    return [_read_image(image, number) for number, image in enumerate(images, 1)]


def _read_image(image: Any, number: int) -> EncodedImage | UnreadableImage:
    text = image.get("b64") if isinstance(image, dict) else None
    name = image.get("name") if isinstance(image, dict) else None
    if not isinstance(text, str) or not isinstance(name, str | None):
        raise BadJsonError(f'Image {number} must look like {{"b64": "..."}}, with an optional "name".')
    try:
        return EncodedImage(decode_image_text(text), name)
    except ValueError:
        return UnreadableImage(BadEncodingError(f"Image {number} is not base64: {_what_is_wrong(text)}."), name)


def _what_is_wrong(text: str) -> str:
    plain = without_data_url(text)
    end = length_without(plain, "=\n\r ")
    places = range(0, end, PIECE_BYTES)
    found = (_NOT_BASE64.search(plain, start, min(start + PIECE_BYTES, end)) for start in places)
    odd = next(filter(None, found), None)
    if odd:
        return f"the character {odd[0]!r} at position {odd.start()} is not in its alphabet"
    beginning = plain[:_SHOWN_CHARACTERS].translate(_URL_SAFE)
    return f"{len(plain)} characters is an impossible length; it begins with {beginning!r}"

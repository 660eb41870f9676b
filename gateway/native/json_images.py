"""The images of a JSON body: `{"images": [{"b64": "..."}]}`."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contract.process.interpreter_turns import PIECE_BYTES, length_without, pieces
from gateway.errors import BadEncodingError, BadJsonError, NoImageError, TooManyImagesError
from gateway.http.base64_text import decode_base64
from gateway.predict.prediction import EncodedImage, UnreadableImage

_DATA_URL, _BASE64 = "data:", ";base64"
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
        return EncodedImage(_decode(text), name)
    except ValueError:
        return UnreadableImage(BadEncodingError(f"Image {number} is not base64: {_what_is_wrong(text)}."), name)


def _decode(text: str) -> bytes:
    """Return the bytes of base64 in the standard or the URL-safe alphabet, padded or not, or of a data URL."""
    text = _without_data_url(text)
    if text.isascii() and ("-" in text or "_" in text):
        text = "".join(each.translate(_URL_SAFE) for each in pieces(text))
    return decode_base64(text)


def _without_data_url(text: str) -> str:
    """Return what follows `data:...;base64,`, or the text as it is if it begins in another way."""
    # no regular expression: one that looks for the end of a data URL took a minute for 80 KB of beginnings
    if text[: len(_DATA_URL)].lower() != _DATA_URL:
        return text
    comma = text.find(",")
    is_base64 = comma >= 0 and text[max(comma - len(_BASE64), 0) : comma].lower() == _BASE64
    return text[comma + 1 :] if is_base64 else text


def _what_is_wrong(text: str) -> str:
    plain = _without_data_url(text)
    end = length_without(plain, "=\n\r ")
    places = range(0, end, PIECE_BYTES)
    found = (_NOT_BASE64.search(plain, start, min(start + PIECE_BYTES, end)) for start in places)
    odd = next(filter(None, found), None)
    if odd:
        return f"the character {odd[0]!r} at position {odd.start()} is not in its alphabet"
    beginning = plain[:_SHOWN_CHARACTERS].translate(_URL_SAFE)
    return f"{len(plain)} characters is an impossible length; it begins with {beginning!r}"

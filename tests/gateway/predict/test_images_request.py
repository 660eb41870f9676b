"""The bytes of a request for images are those of the message that they stand for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import serving_messages as messages
from gateway.backend.model_client import fill_spec
from gateway.predict.images_request import ImagesRequest


def message_of(images: list[bytes]) -> Any:
    """Return the message as protocol buffers make it."""
    return messages.PredictRequest(inputs={"image_bytes": messages.string_tensor(images)})


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=70), st.none() | st.integers(1, 2**60))
def test_the_bytes_are_those_of_the_message(images: list[bytes], version: int | None) -> None:
    """Any images, and any version, are read as they were given."""
    request, expected = ImagesRequest(images), message_of(images)
    for spec in (request.model_spec, expected.model_spec):
        fill_spec(spec, "flowers", version)
    assert messages.PredictRequest.FromString(request.SerializeToString()) == expected


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 16_383, 16_384, 3_000_000])
def test_lengths_are_written_as_they_are(size: int) -> None:
    """Where a length takes another byte, the image is whole."""
    request, image = ImagesRequest([b"x" * size, b"y"]), b"x" * size
    request.model_spec.name = "n" * size if size < 20_000 else "n"
    read = messages.PredictRequest.FromString(request.SerializeToString())
    assert list(read.inputs["image_bytes"].string_val) == [image, b"y"]
    assert read.model_spec == request.model_spec

"""The image a model expects, as data that cannot change on its way."""

import pytest
from pydantic import ValidationError

from contract.image_input import ImageInput


def test_image_input_is_frozen() -> None:
    """An image input cannot be changed."""
    with pytest.raises(ValidationError, match="frozen"):
        ImageInput(height=32, width=32).height = 64  # type: ignore[misc]


def test_unknown_key_is_refused() -> None:
    """A key that this code would ignore is refused, since ignoring it would prepare images wrongly."""
    with pytest.raises(ValidationError, match="crop"):
        ImageInput.model_validate({"height": 32, "width": 32, "crop": 0.8})


@pytest.mark.parametrize(
    "change",
    [{"height": 0}, {"width": -1}, {"max_pixels": 0}, {"channel_order": "gbr"}, {"resize": "area"}, {"mean": [1.0]}],
)
def test_value_that_cannot_be_followed_is_refused(change: dict[str, object]) -> None:
    """A value that preprocessing could not follow is refused."""
    with pytest.raises(ValidationError):
        ImageInput.model_validate({"height": 32, "width": 32} | change)


def test_round_trip() -> None:
    """An image input read from its own JSON is the same, to the last bit of its scale."""
    expected = ImageInput(height=48, width=32, channel_order="bgr", scale=1 / 127.5, mean=(103.939, 116.779, 123.68))
    assert ImageInput.model_validate_json(expected.model_dump_json()) == expected

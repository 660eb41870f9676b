"""The worst JSON of 8 MB: refused or read in little time, and other callers are served meanwhile."""

import asyncio
import contextlib
import functools
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from contract.serving_messages import ClassificationRequest
from gateway.errors import BadJsonError, BodyTooLargeError, GatewayError
from gateway.http.json_bodies import off_loop, read_json
from gateway.native.json_images import read_images
from gateway.open_inference.requests import read_request
from gateway.predict.model_signatures import TensorSpec
from gateway.settings import Settings
from gateway.tensorflow.examples import read_examples
from gateway.tensorflow.inputs import read_instances
from gateway.tensorflow.json_values import read_document
from tests.cpu_time import quiet_cpu_seconds
from tests.lag import held_up
from tests.peak_memory import peak_mb_above_now

SETTINGS = Settings(models=("any",))
MOST_BYTES = SETTINGS.max_json_bytes - 200
MOST_VALUE_BYTES = SETTINGS.max_json_value_bytes - 200

MOST_CPU_SECONDS = 0.25
MOST_SECONDS_HELD_UP = 0.05
BUSIER = 10
"""How many times longer a thread may wait on a machine that others use."""


def _list(item: str, most: int = MOST_VALUE_BYTES) -> bytes:
    return ("[" + ",".join([item] * (most // (len(item) + 1) - 1)) + "]").encode()


def _image(text: str) -> bytes:
    return f'[{{"b64":"{text * (MOST_BYTES // len(text) - 1)}"}}]'.encode()


VALUES: dict[str, bytes] = {
    "digits": _list("0"),
    "long fractions": _list("0.12345678901234567", 2 * MOST_VALUE_BYTES),
    "long negative fractions": _list("-1.2345678901234567e-05", 2 * MOST_VALUE_BYTES),
    "tiny numbers": _list("1e-300"),
    "long whole numbers": _list("9" * 640),
    "empty lists": _list("[]"),
    "short lists": _list("[1,2,3]"),
    "empty objects": _list("{}"),
    "empty strings": _list('""', MOST_VALUE_BYTES // 8),
    "different keys": json.dumps({str(number): 0 for number in range(MOST_VALUE_BYTES // 32)}).encode(),
    "depth": b"[" * 250 + b"]" * 250,
    "base64": _image("A"),
    "URL-safe base64": _image("-_"),
    "base64 with many line ends": _image("A" * 20 + "\\n"),
    "beginnings of data URLs": _image("data:"),
    "a data URL of semicolons": _image(";").replace(b";", b"data:", 1),
    "a data URL of parameters": _image("data:;a=b").replace(b"data:", b"", 1),
    "not base64 at the end": _image("-").replace(b'-"', b'?"'),
    "escapes": _image("\\n" * 9 + "a" * 70),
    "escaped letters": _image("\\u00e9abc"),
    "surrogates": _image("\\ud800abc"),
    "letters that are not ASCII": _image("é"),
    "bytes that are not UTF-8": _image("?").replace(b"?", b"\xff"),
    "many images": ('[{"b64":"' + '"},{"b64":"'.join(["A" * (MOST_BYTES // 70)] * 64) + '"}]').encode(),
}
"""Each as long as the limits allow."""

REFUSED: dict[str, bytes] = {
    "digits": _list("0", MOST_BYTES),
    "empty lists": _list("[]", MOST_BYTES),
    "empty objects": _list("{}", MOST_BYTES),
    "strings": _list('""', MOST_BYTES),
    "escaped quotes": _image('\\"'),
    "escapes": _image("\\n"),
    "spaces": b" " * MOST_BYTES,
    "brackets": b"[" * MOST_BYTES,
    "quotes": b'"' * MOST_BYTES,
}


def read_native(value: bytes) -> object:
    """Read it as a request in the native protocol."""
    return read_images(read_json(b'{"images":' + value + b"}", SETTINGS), SETTINGS.max_images)


def read_tensorflow(value: bytes, dtype: str = "STRING", number: int = 7) -> object:
    """Read it as a request in TensorFlow Serving's protocol."""
    document = read_document(b'{"instances":' + value + b"}", SETTINGS)
    return read_instances(document["instances"], {"any": TensorSpec(dtype, number, None)})


def read_floats(value: bytes) -> object:
    """Read it as numbers in TensorFlow Serving's protocol."""
    return read_tensorflow(value, "FLOAT", 1)


def read_open_inference(value: bytes) -> object:
    """Read it as a request in the Open Inference Protocol."""
    body = b'{"inputs":[{"name":"any","shape":[1],"datatype":"FP32","data":' + value + b"}]}"
    return read_request(body, None, SETTINGS)


def read_as_examples(value: bytes) -> object:
    """Read it as a feature of an example."""
    request = ClassificationRequest()
    read_examples(read_document(b'{"examples":[{"any":' + value + b"}]}", SETTINGS), request, SETTINGS.max_images)
    return request


READERS: tuple[Callable[[bytes], object], ...] = (
    read_native,
    read_tensorflow,
    read_floats,
    read_as_examples,
    read_open_inference,
)


def _try(read: Callable[[bytes], object], value: bytes) -> None:
    with contextlib.suppress(GatewayError, KeyError):
        read(value)


@pytest.mark.parametrize("kind", VALUES)
def test_the_worst_json_takes_little_of_a_processor_and_holds_nobody_up(kind: str) -> None:
    """In each protocol: less than 0.25 seconds of a processor, and no more than 50 ms in which nothing else runs."""
    for read in READERS:
        try_to_read = functools.partial(_try, read, VALUES[kind])
        assert quiet_cpu_seconds(try_to_read, MOST_CPU_SECONDS) < MOST_CPU_SECONDS, read
        reading = functools.partial(off_loop, len(VALUES[kind]), try_to_read)
        most = BUSIER * MOST_SECONDS_HELD_UP
        assert asyncio.run(held_up(reading, enough=most)).seconds < most, read


WRONG_ITEMS: dict[str, str] = {
    "inputs": '{{"inputs":[{items}]}}',
    "outputs": '{{"inputs":[],"outputs":[{items}]}}',
    "sizes": '{{"inputs":[{{"name":"any","datatype":"FP32","shape":[{items}],"data":[]}}]}}',
}


@pytest.mark.parametrize("place", WRONG_ITEMS)
@pytest.mark.parametrize("item", ["0.5", "{}", "-1", "[]"])
def test_wrong_items_are_not_all_listed(place: str, item: str) -> None:
    """Reading a request in the Open Inference Protocol ends at the first of many wrong items."""
    items = _list(item, MOST_VALUE_BYTES // 3).decode()[1:-1]
    body = WRONG_ITEMS[place].format(items=items).encode()

    def read() -> None:
        with pytest.raises(BadJsonError, match=r"\.0[.:]"):
            read_request(body, None, SETTINGS)

    assert quiet_cpu_seconds(read, MOST_CPU_SECONDS / 5) < MOST_CPU_SECONDS / 5


def test_large_bodies_are_read_beside_the_event_loop() -> None:
    """Another coroutine runs while megabytes are read, but not while a few bytes are, which need no thread."""
    read = functools.partial(read_floats, VALUES["short lists"])
    assert asyncio.run(held_up(lambda: off_loop(1_000_000, read))).times_run > 0
    assert asyncio.run(held_up(lambda: off_loop(1_000, read))).times_run == 0


@pytest.mark.parametrize("kind", REFUSED)
def test_too_many_values_are_refused_at_once(kind: str) -> None:
    """Eight megabytes of small values are refused before a parser sees them, with what to do instead."""
    for read in READERS:
        with pytest.raises(BodyTooLargeError, match="send images as files or in base64"):
            read(REFUSED[kind])
        try_to_read = functools.partial(_try, read, REFUSED[kind])
        assert quiet_cpu_seconds(try_to_read, MOST_CPU_SECONDS) < MOST_CPU_SECONDS, read


def test_a_data_url_takes_no_more_memory_than_other_text(own_gateway: httpx.Client) -> None:
    """Eight megabytes of a data URL that never ends are refused in a moment; once they took a minute and a gigabyte."""
    responses: list[Any] = []
    body = b'{"images":' + VALUES["a data URL of semicolons"] + b"}"
    grown = peak_mb_above_now(lambda: responses.append(own_gateway.post("/v1/predict", content=body, headers=JSON)))
    assert (responses[0].status_code, responses[0].json()["code"]) == (400, "bad_encoding")
    assert grown < 150


JSON = {"content-type": "application/json"}


def test_an_operator_may_allow_more_values() -> None:
    """The limit is a setting."""
    more = SETTINGS.model_copy(update={"max_json_value_bytes": 3_000_000})
    body = b"[" + _list("0") + b"," + _list("0") + b"]"
    assert len(read_json(body, more)) == 2
    with pytest.raises(BodyTooLargeError, match="than the 1200000 bytes of them"):
        read_json(body, SETTINGS)


def test_an_image_as_numbers_is_accepted() -> None:
    """224x224 pixels of three channels, each of as many digits as a float has, as `tolist` and `dumps` write them."""
    pixels = np.random.default_rng(1).uniform(-1, 1, (224, 224, 3)).astype(np.float32)
    body = json.dumps({"instances": [pixels.tolist()]}).encode()
    assert len(body) > 3_000_000
    assert np.array(read_json(body, SETTINGS)["instances"][0], np.float32).tobytes() == pixels.tobytes()


def test_numbers_without_end_are_refused() -> None:
    """Python takes four thousand digits, in a time that grows with their square; a float has seventeen."""
    assert read_json(b"[" + b"9" * 640 + b"]", SETTINGS) == [int("9" * 640)]
    with pytest.raises(BadJsonError, match="too many digits"):
        read_json(b"[" + b"9" * 641 + b"]", SETTINGS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("rest", ["[" * 200_000, "[]," * 600_000, "1]"])
def test_other_encodings_are_refused(encoding: str, rest: str) -> None:
    """In UTF-16, a letter may have the byte of a quote, behind which nothing is counted: it is refused before."""
    for read in READERS:
        with pytest.raises(GatewayError, match=r"not UTF-8|JSON"):
            read(f'["\u2200", {rest}'.encode(encoding))
    with pytest.raises(BadJsonError, match="not UTF-8"):
        read_json(f'["\u2200", {rest}'.encode(encoding), SETTINGS)


def test_a_byte_order_mark_is_no_other_encoding() -> None:
    """Programs for Windows write one before UTF-8."""
    assert read_json(b"\xef\xbb\xbf[1]", SETTINGS) == [1]


@pytest.mark.parametrize("text", [r'"\\"', r'"\""', r'"\\\""', r'"\\\\" ', r'"a\\", "b\"c"', '"[{" ', '""'])
def test_strings_end_where_a_parser_ends_them(text: str) -> None:
    """Brackets and numbers are counted outside of strings, whatever is escaped in them."""
    body = f"[{text}, 1, 2, 3]".encode()
    outside = len(body) - sum(len(json.dumps(each)) for each in json.loads(body) if isinstance(each, str))
    strings = sum(isinstance(each, str) for each in json.loads(body))
    escaped = sum(each.count('"') for each in json.loads(body) if isinstance(each, str))
    values = len(json.loads(body))
    exact = -(-(outside + 8 * values) // 5) + 20 * (strings + escaped) + body.count(b"\\")
    assert read_json(body, SETTINGS.model_copy(update={"max_json_value_bytes": exact})) == json.loads(body)
    with pytest.raises(BodyTooLargeError):
        read_json(body, SETTINGS.model_copy(update={"max_json_value_bytes": exact - 1}))

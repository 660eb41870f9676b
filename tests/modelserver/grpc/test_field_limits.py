"""Requests are counted on the wire before protobuf makes objects of them."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from contract import serving_messages as messages
from modelserver.errors import BadInputError
from modelserver.grpc.field_limits import MAX_FIELDS, MAX_STRAY_INTEGERS, check_fields
from modelserver.grpc.unary_calls import UnaryCalls
from tests.cpu_time import quiet_cpu_seconds
from tests.lag import held_up


def predict_request(**fields: Any) -> bytes:
    """Return a PredictRequest with one tensor, as it is sent."""
    request = messages.PredictRequest(inputs={"x": messages.TensorProto(**fields)})
    content: bytes = request.SerializeToString()
    return content


def examples(*features: dict[str, Any]) -> bytes:
    """Return a ClassificationRequest with one example for each mapping of features, as it is sent."""
    request = messages.ClassificationRequest()
    for each in features:
        request.input.example_list.examples.add(features={"feature": each})
    content: bytes = request.SerializeToString()
    return content


def predict_request_with(tensor: bytes) -> bytes:
    """Return a PredictRequest with one tensor that is serialized already."""
    entry = b"\x0a\x01x\x12" + _length(tensor) + tensor
    return b"\x12" + _length(entry) + entry


def in_group(content: bytes) -> bytes:
    """Return fields in a group of an unknown number, which protobuf reads and forgets."""
    return b"\xa3\x06" + content + b"\xa4\x06"


def _length(content: bytes) -> bytes:
    groups, number = [], len(content)
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


MANY = 2 * MAX_FIELDS
SHAPE = {"dim": [{"size": 2 * MAX_STRAY_INTEGERS}]}
TOO_MUCH = {
    "empty strings": (predict_request(string_val=[b""] * MANY), messages.PredictRequest),
    "dimensions": (predict_request(tensor_shape={"dim": [{}] * MANY}), messages.PredictRequest),
    "handles": (predict_request(resource_handle_val=[{}] * MANY), messages.PredictRequest),
    "filters": (messages.PredictRequest(output_filter=[""] * MANY).SerializeToString(), messages.PredictRequest),
    "integers": (predict_request(int_val=[0] * 2 * MAX_STRAY_INTEGERS), messages.PredictRequest),
    "bools": (predict_request(bool_val=[True] * 2 * MAX_STRAY_INTEGERS), messages.PredictRequest),
    "examples": (examples(*[{}] * MANY), messages.ClassificationRequest),
    "features": (examples({str(number): {} for number in range(MAX_FIELDS)}), messages.ClassificationRequest),
    "strings of a feature": (examples({"x": {"bytes_list": {"value": [b""] * MANY}}}), messages.RegressionRequest),
    "integers of a feature": (
        examples({"x": {"int64_list": {"value": [1] * 2 * MAX_STRAY_INTEGERS}}}),
        messages.ClassificationRequest,
    ),
    "tasks": (messages.MultiInferenceRequest(tasks=[{}] * MANY).SerializeToString(), messages.MultiInferenceRequest),
    "models": (
        messages.ReloadConfigRequest(config={"model_config_list": {"config": [{}] * MANY}}).SerializeToString(),
        messages.ReloadConfigRequest,
    ),
    "unknown fields": (b"\xf8\x7f\x00" * MANY, messages.PredictRequest),
    "strings behind a group": (
        in_group(b"\x12\x01\xff") + predict_request(string_val=[b""] * MANY),
        messages.PredictRequest,
    ),
    "integers for a shape in a group": (
        predict_request_with(
            in_group(messages.TensorProto(tensor_shape=SHAPE).SerializeToString())
            + messages.TensorProto(int_val=[0] * 2 * MAX_STRAY_INTEGERS).SerializeToString()
        ),
        messages.PredictRequest,
    ),
    "groups": (b"\xfb\x7f\xfc\x7f" * MANY, messages.PredictRequest),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_would_take_much_memory_is_refused(kind: str) -> None:
    """More fields than a request may have, or more integers than its tensors have room for, are refused in words."""
    content, request_class = TOO_MUCH[kind]
    with pytest.raises(BadInputError, match=r"^The request has (more than )?\d+ (fields|integers)"):
        check_fields(content, request_class)


def test_honest_numbers_are_many() -> None:
    """Packed numbers of a tensor that has room for them count as one field, and so does an image."""
    check_fields(predict_request(int_val=[255] * 2 * MAX_STRAY_INTEGERS, tensor_shape=SHAPE), messages.PredictRequest)
    check_fields(predict_request(float_val=[0.5] * 2 * MAX_STRAY_INTEGERS), messages.PredictRequest)
    check_fields(predict_request(string_val=[bytes(range(256)) * 400] * 256), messages.PredictRequest)


def test_messages_within_messages_have_an_end() -> None:
    """Tensors within tensors are refused at a depth that no request has."""
    content = b""
    for _ in range(60):  # a variant of a tensor holds tensors
        variant = b"\x1a" + _length(content) + content
        content = b"\x7a" + _length(variant) + variant
    whole = b"\x12" + _length(b"\x12" + _length(content) + content) + b"\x12" + _length(content) + content
    with pytest.raises(BadInputError, match="deep"):
        check_fields(whole, messages.PredictRequest)


TAGS = st.sampled_from([b"\x0a", b"\x12", b"\x13", b"\x14", b"\x1a", b"\x22", b"\x42", b"\x3a", b"\x0d", b"\x11"])
LENGTHS = st.sampled_from([bytes([length]) for length in range(9)])


@given(st.binary(max_size=200) | st.lists(TAGS | LENGTHS | st.binary(max_size=2), max_size=40).map(b"".join))
def test_only_what_is_no_message_is_refused_as_none(content: bytes) -> None:
    """Whatever comes, protobuf refuses what counting refuses: so short a message has not too many fields."""
    try:
        check_fields(content, messages.PredictRequest)
    except (BadInputError, DecodeError):
        with pytest.raises(DecodeError):
            messages.PredictRequest.FromString(content)


def test_counting_takes_as_long_as_the_bytes_are_many() -> None:
    """Eight times as many bytes of any kind take at most about eight times as long, and 0xff without end no time."""
    for unit in (b"\xff", b"\x12\x00", b"\x12\x02\x12\x00", b"\x80\x01\x00", b"\x0b"):
        short, long = (_seconds(unit * (size // len(unit))) for size in (2**18, 2**21))
        assert long < 20 * max(short, 0.01)


def _seconds(content: bytes) -> float:
    def check() -> None:
        with contextlib.suppress(BadInputError, DecodeError):
            check_fields(content, messages.PredictRequest)

    return quiet_cpu_seconds(check, enough=0.1)


def test_long_messages_are_parsed_beside_the_event_loop() -> None:
    """Another coroutine runs while millions of fields are counted, but not while a few bytes are."""
    calls = UnaryCalls(2**30)
    context: Any = SimpleNamespace(abort=_abort)
    counted: list[Any] = []

    async def count(request: Any) -> None:
        counted.append(request)

    predict: Any = calls.handler(count, messages.PredictRequest, messages.PredictResponse).unary_unary
    many = messages.PredictRequest(inputs={"x": messages.TensorProto(string_val=[b""] * 200_000)}).SerializeToString()
    assert asyncio.run(held_up(lambda: predict(many, context))).times_run > 0
    assert counted == []
    assert asyncio.run(held_up(lambda: predict(b"", context))).times_run == 0


async def _abort(code: grpc.StatusCode, text: str) -> None:
    assert (code, "more than 65536 fields" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)

"""gRPC messages to the model server that are small to send and large to serve."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc.aio

from benchmarks.attack.attack import Attack, Send
from benchmarks.attack.exchange import PATIENCE_SECONDS, Target
from contract import serving_messages as messages
from contract.signatures import DESCRIBE

_STRING, _UINT8, _FLOAT = (messages.DataType[name].number for name in ("DT_STRING", "DT_UINT8", "DT_FLOAT"))
_REFUSED = ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND", "PERMISSION_DENIED", "UNIMPLEMENTED")
_PREDICT = f"/{messages.PREDICTION_SERVICE}/Predict"
_RELOAD = f"/{messages.MODEL_SERVICE}/HandleReloadConfigRequest"
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_ONE_MB = 1 << 20
_GROUP = b"\xa3\x06\x12\x01\xff\xa4\x06"
"""Of an unknown number, which protobuf skips; what is in it would be no tensor."""


def message_attacks() -> Iterator[Attack]:
    """Yield attacks on the model server's gRPC API."""
    tensors: dict[str, Callable[[], Any]] = {
        "20000 rows of one string": lambda: _tensor(_STRING, [20_000], string_val=[b"x"]),
        "2000 images of one pixel value": lambda: _tensor(_UINT8, [2000, 224, 224, 3], int_val=[0]),
        "a shape that overflows": lambda: _tensor(_STRING, [2**40, 2**40], string_val=[b"x"]),
        "a negative shape": lambda: _tensor(_STRING, [-5], string_val=[b"x"]),
        "2 million empty strings": lambda: _tensor(_STRING, [2_000_000], string_val=[b""] * 2_000_000),
        "strings of 1 MB 0xff": lambda: _tensor(_STRING, [1], tensor_content=b"\xff" * _ONE_MB),
        "one rank too many": lambda: _tensor(_STRING, [1, 1], string_val=[b"x"]),
        "floats for strings": lambda: _tensor(_FLOAT, [1], float_val=[1.0]),
    }
    for name, tensor in tensors.items():
        yield _predict_attack(name, tensor)
    strings = tensors["2 million empty strings"]
    yield _message_attack(
        "2 million empty strings behind a group",
        _PREDICT,
        lambda target: _GROUP + _predict(target.model, "", strings()),
    )
    yield _predict_attack("257 rows", partial(_rows, 257))
    yield _predict_attack("describe of 100,000 rows", partial(_rows, 100_000), DESCRIBE)
    yield _message_attack("a reload of other folders", _RELOAD, _reload)


def image_message_attack(name: str, bomb: bytes) -> Attack:
    """Return an image sent to the model server, past the gateway's guard. It marks the row, or refuses."""
    return _predict_attack(f"{name}, gRPC", partial(messages.string_tensor, [bomb]), expected=("OK", *_REFUSED))


def _predict_attack(
    name: str, tensor: Callable[[], Any], signature: str = "", expected: tuple[str, ...] = _REFUSED
) -> Attack:
    return _message_attack(name, _PREDICT, lambda target: _predict(target.model, signature, tensor()), expected)


def _message_attack(
    name: str, method: str, message: Callable[[Target], bytes], expected: tuple[str, ...] = _REFUSED
) -> Attack:
    def prepare(target: Target) -> Send:
        content = message(target)

        async def send() -> list[str]:
            async with grpc.aio.insecure_channel(target.model_server, _OPTIONS) as channel:
                try:
                    await channel.unary_unary(method, bytes, bytes)(content, timeout=PATIENCE_SECONDS)
                except grpc.aio.AioRpcError as error:
                    return [error.code().name]
                return ["OK"]

        return send

    return Attack(name, "messages", prepare, expected)


def _tensor(dtype: int, sizes: list[int], **values: Any) -> Any:
    tensor = messages.TensorProto(dtype=dtype, **values)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _rows(count: int) -> Any:
    return _tensor(_STRING, [count], string_val=[b""] * count)


def _predict(model: str, signature: str, tensor: Any) -> bytes:
    request = messages.PredictRequest(model_spec={"name": model, "signature_name": signature})
    request.inputs["query" if signature == DESCRIBE else "image_bytes"].CopyFrom(tensor)
    content: bytes = request.SerializeToString()
    return content


def _reload(_: Target) -> bytes:
    request = messages.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="other", base_path="/etc", model_platform="tensorflow")
    content: bytes = request.SerializeToString()
    return content

"""JSON, forms and other text that costs more to read than to send."""

import gzip
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from benchmarks.attack.attack import Attack, http_attack
from benchmarks.attack.exchange import Target

MB = 1_000_000
_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "multipart/form-data; boundary=b"}


def text_attacks() -> Iterator[Attack]:
    """Yield attacks on the readers of text, through every protocol."""
    yield from _data_urls()
    yield from _json_shapes()
    yield from _forms()
    yield _posting("gzip of 20 MB of zeros", "/v1/predict", lambda: gzip.compress(bytes(20 * MB)), _gzipped())


def _data_urls() -> Iterator[Attack]:
    texts: dict[str, Callable[[], bytes]] = {
        "data:data:..., 80 KB": lambda: b"data:" * 16_000,
        "data:data:..., 7 MB": lambda: b"data:" * 1_400_000,
        "data:;;;..., 7 MB": lambda: b"data:" + b";" * (7 * MB),
        "data:,,,..., 7 MB": lambda: b"data:" + b"," * (7 * MB),
        "data: of blanks, 7 MB": lambda: b"data: ;" + b" " * (7 * MB),
        "base64 of = only, 7 MB": lambda: b"=" * (7 * MB),
        "base64 of line ends, 7 MB": lambda: b"A" + b"\\n" * (7 * MB // 2),
    }
    for name, text in texts.items():
        yield _posting(name, "/v1/predict", partial(_in_images, text))


def _in_images(text: Callable[[], bytes]) -> bytes:
    return b'{"images": [{"b64": "' + text() + b'"}]}'


def _json_shapes() -> Iterator[Attack]:
    bodies: dict[str, Callable[[], bytes]] = {
        "JSON of brackets, 7 MB": lambda: b"[" * (7 * MB),
        "JSON of empty objects, 7 MB": lambda: b'{"images": [' + b"{}," * (7 * MB // 3) + b"{}]}",
        "JSON of numbers, 7 MB": lambda: b'{"instances": [' + b"0," * (7 * MB // 2) + b"0]}",
        "JSON of small lists, 7 MB": lambda: b'{"instances": [' + b"[0]," * (7 * MB // 4) + b"[0]]}",
        "JSON of one number, 7 MB": lambda: b'{"instances": [' + b"9" * (7 * MB) + b"]}",
        "JSON of keys, 7 MB": lambda: b"{" + b",".join(b'"%d":0' % number for number in range(600_000)) + b"}",
        "JSON of escapes, 7 MB": lambda: b'{"images": [{"b64": "' + b"\\u0041" * (7 * MB // 6) + b'"}]}',
        "JSON of blanks, 19 MB": lambda: b" " * (19 * MB) + b"{}",
        "JSON of lists in UTF-16, 7 MB": lambda: ('["\u2200",' + "[]," * (7 * MB // 6)).encode("utf-16-le"),
        "JSON of one key, 7 MB": lambda: b'{"instances": [{"' + b"k" * (7 * MB) + b'": 0}]}',
        "JSON of empty inputs, 400 KB": lambda: b'{"inputs": [' + b"{}," * (MB // 7) + b"{}]}",
        "JSON of quotes, 7 MB": lambda: b'"\\"' * (7 * MB // 3),
    }
    paths = {"native": "/v1/predict", "TensorFlow": "/v1/models/{model}:predict", "Open Inference": "{infer}"}
    for name, body in bodies.items():
        for protocol, path in paths.items():
            yield _posting(f"{name}, {protocol}", path, body)


def _forms() -> Iterator[Attack]:
    fields = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'
    semicolons = b"--b\r\nContent-Disposition: form-data; filename*=x" + b";" * 8000 + b"\r\n\r\nx\r\n"
    charset = b"--b\r\nContent-Disposition: form-data; filename*=undefined''x\r\n\r\nx\r\n--b--"
    long_header = b"--b\r\nX-Long: "
    yield _posting("form of fields, 19 MB", "/v1/predict", lambda: fields * (19 * MB // len(fields)) + b"--b--", _FORM)
    yield _posting("form of semicolons, 500 KB", "/v1/predict", lambda: semicolons * 64 + b"--b--", _FORM)
    yield _posting("form with a character set that decodes nothing", "/v1/predict", lambda: charset, _FORM)
    yield _posting("form of one header, 19 MB", "/v1/predict", lambda: long_header + b"x" * (19 * MB), _FORM)
    yield _posting("form of boundaries, 19 MB", "/v1/predict", lambda: b"\r\n--b" * (19 * MB // 5), _FORM)
    yield _posting("form of line ends, 19 MB", "/v1/predict", lambda: b"--b\r\n\r\n" + b"\r\n" * (19 * MB // 2), _FORM)
    yield _posting(
        "form encoded in a URL, 19 MB",
        "/v1/predict",
        lambda: b"a=b&" * (19 * MB // 4),
        {"content-type": "application/x-www-form-urlencoded"},
    )


def tensor_text_attacks() -> Iterator[Attack]:
    """Yield JSON tensors that lie about their shape, or do not fit the model's signature."""
    instances: dict[str, object] = {
        "one rank too many": [[{"b64": "AAAA"}]],
        "numbers for strings": [1.5],
        "a hundred thousand rows": ["x"] * 100_000,
        "rows of other ranks": [["x"], "x"],
    }
    for name, rows in instances.items():
        body = json.dumps({"instances": rows}).encode()
        yield _posting(f"TensorFlow, {name}", "/v1/models/{model}:predict", partial(bytes, body))
    shapes: dict[str, tuple[str, list[int], list[object]]] = {
        "a huge shape, one value": ("BYTES", [2_000_000_000], ["x"]),
        "a shape that overflows": ("BYTES", [2**62, 2**62, 16], ["x"]),
        "a negative shape": ("BYTES", [-1], ["x"]),
        "one rank too many": ("BYTES", [1, 1], ["x"]),
        "another dtype": ("FP32", [1], [1.0]),
        "a hundred thousand rows": ("BYTES", [100_000], ["x"] * 100_000),
    }
    for name, (datatype, shape, data) in shapes.items():
        tensor = {"name": "image_bytes", "datatype": datatype, "shape": shape, "data": data}
        body = json.dumps({"inputs": [tensor]}).encode()
        yield _posting(f"Open Inference, {name}", "{infer}", partial(bytes, body))
    yield _posting("Open Inference, 4.7 million empty strings", "{infer}", lambda: _binary()[1], _binary()[0])


def _binary() -> tuple[dict[str, str], bytes]:
    count = 4_700_000
    tensor = {
        "name": "image_bytes",
        "datatype": "BYTES",
        "shape": [count],
        "parameters": {"binary_data_size": 4 * count},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    return headers, head + struct.pack("<I", 0) * count


def _gzipped() -> dict[str, str]:
    return {**_JSON, "content-encoding": "gzip"}


def _posting(name: str, path: str, body: Callable[[], bytes], headers: Mapping[str, str] | None = None) -> Attack:
    def request(target: Target) -> bytes:
        infer = f"/v2/models/{target.model}/infer"
        return target.request(path.format(model=target.model, infer=infer), body(), headers=headers or _JSON)

    return http_attack(name, "text", request)

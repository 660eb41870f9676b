"""Other servers that `bench_serving` measures: with their own flags and protocol, or a reason why they are left out."""

import itertools
import json
import stat
import sys
from pathlib import Path

import uvloop

from benchmarks.serving.peers import mlserver, tensorflow_serving
from benchmarks.serving.photographs import draw, encode
from graft.traffic.clients import closed_loop

_FAKE = """#!{python}
import base64, http.server, json, pathlib, sys

named = [argument.removeprefix("--").partition("=") for argument in sys.argv[1:] if argument.startswith("--")]
flags = {{name: value for name, _, value in named}}
place = pathlib.Path(sys.argv[-1])
settings = json.loads((place / "settings.json").read_text()) if not flags else {{}}


class Responds(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["instances"][0]["b64"] if flags else body["inputs"][0]["data"][0]
        good = self.path == "{path}" and base64.b64decode(text).startswith(bytes([0xFF, 0xD8, 0xFF]))
        self.send_response(200 if good else 400)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


port = int(flags["rest_api_port"] if flags else settings["http_port"])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Responds).serve_forever()
"""
_IMAGES = [encode(draw(0))]


def fake(folder: Path, path: str) -> str:
    """Write a program that listens where it is told to, and takes JPEGs at one path alone."""
    program = folder / "server"
    program.write_text(_FAKE.format(python=sys.executable, path=path))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_tensorflow_serving_is_measured_by_its_own_rest_api(tmp_path: Path) -> None:
    """It gets the folder of the model, its port, batching, and images as base64."""
    binary = fake(tmp_path, "/v1/models/flowers:predict")
    assert tensorflow_serving.missing(binary) == ""
    with tensorflow_serving.started(binary, tmp_path / "flowers", _IMAGES[0], tmp_path / "log") as system:
        load = uvloop.run(closed_loop(system.endpoint, itertools.cycle(system.requests(_IMAGES)), 2, 0.1))
        assert load.failed == 0
        command = system.tree.processes()[0].cmdline()
    assert f"--model_base_path={tmp_path / 'flowers'}" in command
    assert "--enable_batching=true" in command


def test_mlserver_is_measured_by_the_open_inference_protocol(tmp_path: Path) -> None:
    """It finds the model's settings in its folder: one process, batches, the SavedModel and the class that runs it."""
    python = fake(tmp_path, "/v2/models/images/infer")
    assert mlserver.missing(python, wanted=False) == ""
    with mlserver.started(python, tmp_path / "saved", tmp_path, _IMAGES[0], tmp_path / "log") as system:
        load = uvloop.run(closed_loop(system.endpoint, itertools.cycle(system.requests(_IMAGES)), 2, 0.1))
    assert load.failed == 0
    settings = json.loads((tmp_path / "mlserver" / "settings.json").read_text())
    model = json.loads((tmp_path / "mlserver" / "images" / "model-settings.json").read_text())
    assert settings["parallel_workers"] == 0
    assert model["parameters"]["uri"] == str(tmp_path / "saved")
    assert model["max_batch_size"] == 8
    assert model["implementation"] == "saved_model_runtime.SavedModelRuntime"


def test_what_is_not_at_hand_is_left_out_with_a_reason() -> None:
    """Which says how it would be measured; what is wanted is not left out."""
    assert "TENSORFLOW_MODEL_SERVER names no binary" in tensorflow_serving.missing("")
    assert "names /no/such/binary, which cannot be run" in tensorflow_serving.missing("/no/such/binary")
    assert "--with mlserver installs it" in mlserver.missing("", wanted=False)
    assert "names /no/such/python, which cannot be run" in mlserver.missing("/no/such/python", wanted=True)
    assert mlserver.missing("", wanted=True) == ""

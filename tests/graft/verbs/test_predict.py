"""`graft predict`: many images of any origin, results that a script can read, and an end that says what failed."""

import asyncio
import csv
import functools
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from graft.actions.predict.inputs import Input, inputs_of
from graft.actions.predict.outputs import written
from graft.actions.predict.requests import IMAGES_IN_A_REQUEST, GatewayTarget, Outcome, SentImages
from graft.errors import CommandError
from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import RunningGateway, gateway_process
from tests.graft.places import Place


@pytest.fixture(scope="module")
def gateway(model_server: FakeModelServer) -> Iterator[RunningGateway]:
    """A gateway before it, which takes ten images a request."""
    with gateway_process(model_server.address, max_images=10, shutdown_delay_seconds=0) as running:
        yield running


def folder_of(place: Path, count: int) -> dict[str, str]:
    """Write images under a folder, the last in one below it; return their labels by path."""
    labels = {}
    for number in range(count):
        path = place / ("deeper" if number == count - 1 else "") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(marked_image(number=number))
        labels[str(path)] = label_for(marked_image(number=number))
    return labels


def test_a_folder_is_predicted_in_order(url: str, tmp_path: Path) -> None:
    """A hundred images, more than the gateway takes at once, have their own labels in the order of their paths."""
    labels = folder_of(tmp_path / "images", 100)
    found = json.loads(Place(tmp_path).must("predict", "images", "--url", url, "--json"))["images"]
    assert [each["image"] for each in found] == [str(Path(path).relative_to(tmp_path)) for path in sorted(labels)]
    assert [each["label"] for each in found] == [labels[path] for path in sorted(labels)]
    assert {each["version"] for each in found} == {"1"}


def test_bad_files_do_not_stop_the_others(url: str, tmp_path: Path) -> None:
    """Text, a missing file and a cut image are listed on standard error with their reasons; the exit code is 1."""
    folder_of(tmp_path, 3)
    (tmp_path / "notes.jpg").write_text("no image")
    (tmp_path / "cut.png").write_bytes(marked_image()[:60])
    done = Place(tmp_path).predict("predict", "000.png", "notes.jpg", "gone.jpg", "cut.png", "001.png", "--url", url)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "3 of 5 images have no prediction:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["notes.jpg", "gone.jpg", "cut.png"]
    assert "No such file" in lines[2]
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [
        *("000.png", "notes.jpg", "gone.jpg", "cut.png", "001.png")
    ]


def test_patterns_folders_urls_and_standard_input(url: str, tmp_path: Path) -> None:
    """All of them in one command; a URL that is not there is listed, as a file is."""
    labels = folder_of(tmp_path / "images", 4)
    serve = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "images"))
    with served(serve) as site:
        arguments = ["images/00[01].png", f"{site}/002.png", f"{site}/gone.png", "-", "images/deeper"]
        done = subprocess.run(
            [sys.executable, "-m", "graft", "predict", *arguments, "--url", url, "--csv"],
            input=marked_image(number=77),
            capture_output=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
            },
            check=False,
        )
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["image"] for row in rows] == [
        *("images/000.png", "images/001.png", f"{site}/002.png", f"{site}/gone.png", "-", "images/deeper/003.png")
    ]
    assert [row["label"] for row in rows[:3]] == [labels[str(tmp_path / "images" / f"00{n}.png")] for n in range(3)]
    assert (rows[3]["error"], "404" in rows[3]["detail"]) == ("unreadable", True)
    assert rows[4]["label"] == label_for(marked_image(number=77))
    assert done.returncode == 1


def test_a_file_says_its_format(url: str, tmp_path: Path) -> None:
    """--out writes JSON or CSV by the file's name, and prints no table."""
    folder_of(tmp_path, 2)
    for name in ("found.json", "found.csv", "found.txt"):
        assert Place(tmp_path).must("predict", "000.png", "--url", url, "--out", name, "--top-k", "2") == ""
    assert len(json.loads((tmp_path / "found.json").read_text())["images"][0]["top"]) == 2
    header, row = csv.reader(io.StringIO((tmp_path / "found.csv").read_text()))
    assert header == ["image", "label", "probability", "label_2", "probability_2", "version", "error", "detail"]
    assert (row[0], len(row)) == ("000.png", 8)
    assert (tmp_path / "found.txt").read_text().startswith("image")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("name", ["x[/b].png", "bolt [m8].png", "a\x1b[31mb.png", "new\nline.png", "[red]x.png"])
def test_names_are_text(url: str, tmp_path: Path, name: str) -> None:
    """Brackets are shown as they are, and control characters as escapes."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(marked_image())
    shown = Place(tmp_path).must("predict", ".", "--url", url)
    assert "\x1b" not in shown
    assert name.replace("\x1b", "\\x1b").replace("\n", "\\n") in shown
    assert len(shown.splitlines()) == 2


class FailingGateway(BaseHTTPRequestHandler):
    """Predicts ten images and more; fails for the request that has a bad one, once the others were responded."""

    responded = threading.Semaphore(0)

    def do_POST(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"BAD" in body:
            assert self.responded.acquire(timeout=60)
        entry = {"top": [{"label": "rose", "probability": 1.0}]}
        count = body.count(b"filename=")
        problem = {"detail": "The model server failed to process the request."}
        said = problem if b"BAD" in body else {"version": "1", "predictions": [entry] * count}
        content = json.dumps(said).encode()
        self.send_response(502 if b"BAD" in body else 200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        self.responded.release()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@contextmanager
def served(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP on loopback while the `with` is open; give the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_came_back_before_an_error_is_written(tmp_path: Path) -> None:
    """When the gateway fails in the middle, the predictions until then are in the file, and one sentence says why."""
    folder_of(tmp_path, IMAGES_IN_A_REQUEST)
    (tmp_path / "z.png").write_bytes(b"BAD")
    with served(FailingGateway) as url:
        done = Place(tmp_path).predict("predict", ".", "z.png", "--url", url, "--out", "found.csv")
    assert (done.returncode, "cannot predict: The model server failed" in done.stderr) == (2, True)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text())))
    assert len(rows) == IMAGES_IN_A_REQUEST


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
def test_predictions_without_room_for_their_file_are_not_lost(url: str, tmp_path: Path) -> None:
    """On a full disk the predictions are printed, and a sentence says which folder has no room."""
    folder_of(tmp_path, 2)
    (tmp_path / ".found.csv.part").symlink_to("/dev/full")
    done = Place(tmp_path).predict("predict", "000.png", "--url", url, "--out", "found.csv")
    assert done.returncode == 2
    assert f"The disk of {tmp_path} is full: " in done.stderr
    assert "the predictions are on standard output instead of in found.csv." in done.stderr
    assert next(csv.DictReader(io.StringIO(done.stdout)))["image"] == "000.png"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_image_is_read_when_its_turn_comes(url: str) -> None:
    """Of many images few are in memory: the files are read while others are on their way."""
    alive = {"now": 0, "most": 0}

    class Content(bytes):
        def __new__(cls, number: int) -> "Content":
            alive["now"] += 1
            alive["most"] = max(alive["most"], alive["now"])
            return super().__new__(cls, marked_image(number=number))

        def __del__(self) -> None:
            alive["now"] -= 1

    inputs = [Input(str(number), functools.partial(Content, number)) for number in range(600)]
    predictions = SentImages(inputs)
    asyncio.run(predictions.fetch(GatewayTarget(url)))
    assert all(each is not None and each.predicted for each in predictions.outcomes)
    assert alive["most"] < 300


def test_no_gateway_is_one_sentence(tmp_path: Path) -> None:
    """It names the address and says how to start one."""
    folder_of(tmp_path, 2)
    done = Place(tmp_path).predict("predict", "000.png", "--url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "start one with `graft up`" in done.stderr


def test_labels_that_are_not_encodable_are_escaped() -> None:
    """A byte of a name that is not UTF-8 is written as an escape in every format."""
    outcomes = [Outcome("a\udcff.png", "1", [("rose", 0.5)])]
    for form in ("table", "json", "csv"):
        text = written(outcomes, form, 1)
        assert "xff.png" in text or "udcff.png" in text
        text.encode("utf-8")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without images says which names images have."""
    with pytest.raises(CommandError, match="no file is JPEG, PNG, BMP or WebP by its name"):
        inputs_of([str(tmp_path)])
    with pytest.raises(CommandError, match="can be read once"):
        inputs_of(["-", "-"])


def test_a_console_that_is_not_utf8_shows_escapes(url: str, tmp_path: Path) -> None:
    """Where the output cannot have a letter, it is written as an escape, and nothing ends in a traceback."""
    (tmp_path / "bl\u00fcte.png").write_bytes(marked_image())
    places = [str(Path.cwd()), os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [sys.executable, "-m", "graft", "predict", ".", "--url", url],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"bl\\xfcte.png" in done.stdout


def test_what_a_folder_has_in_another_format_is_not_passed_over(url: str, tmp_path: Path) -> None:
    """Photos that a phone wrote as HEIC are listed with their reason, and the exit code is 1; a film is no image."""
    folder_of(tmp_path / "images", 2)
    for name in ("IMG_1.HEIC", "IMG_2.MOV", "Thumbs.db"):
        (tmp_path / "images" / name).write_bytes(b"anything")
    done = Place(tmp_path).predict("predict", "images", "--url", url, "--csv")
    assert done.returncode == 1
    assert "images/IMG_1.HEIC: It was skipped: an unsupported format; save it as JPEG" in done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == [
        "images/000.png",
        "images/IMG_1.HEIC",
        "images/deeper/001.png",
    ]


def test_a_pattern_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    """A named pipe that a pattern happens to fit is no image."""
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(marked_image())
    assert [each.name for each in inputs_of([f"{tmp_path}/*.png"])] == [f"{tmp_path}/b.png"]


def test_a_url_is_one(tmp_path: Path) -> None:
    """Another scheme than http is refused in a sentence, for images as for the gateway, whatever the case."""
    for image in ("file:///tmp/rose.jpg", "s3://photos/rose.jpg"):
        with pytest.raises(CommandError, match="a URL starts with http:// or https://"):
            inputs_of([image])
    assert [each.name for each in inputs_of(["HTTP://127.0.0.1:9/rose.jpg"])] == ["HTTP://127.0.0.1:9/rose.jpg"]
    folder_of(tmp_path, 2)
    for gateway in ("localhost:8000", "127.0.0.1:8000", "ftp://localhost"):
        done = Place(tmp_path).predict("predict", "000.png", "--url", gateway)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "such as http://127.0.0.1:8000" in done.stderr


def test_a_file_named_minus_is_standard_output(url: str, tmp_path: Path) -> None:
    """`--out -` writes no file called `-`."""
    folder_of(tmp_path, 2)
    assert Place(tmp_path).must("predict", "000.png", "--url", url, "--csv", "--out", "-").startswith("image,")
    assert not (tmp_path / "-").exists()


def test_ctrl_c_does_not_wait_for_a_pipe(url: str, tmp_path: Path) -> None:
    """A pipe that gives nothing is left at once, with the exit code of an interruption."""
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "graft", "predict", str(pipe), "--url", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            held = _opened_by_its_reader(pipe)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            os.close(held)
            assert process.stderr
            assert process.stderr.read().strip().endswith("Stopped.")
        finally:
            process.kill()


def _opened_by_its_reader(pipe: Path) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(pipe)


@pytest.mark.parametrize("verb", [("predict", "000.png"), ("evaluate", "http://127.0.0.1:9", "images")])
def test_a_key_that_is_none_is_one_sentence(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """A letter that looks like another is blamed on the key, not on the address."""
    folder_of(tmp_path, 2)
    for key in ("\u043aey", "graft_1\n_2"):
        done = Place(tmp_path).predict(*verb, "--api-key", key)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "GRAFT_API_KEY) has a character that no key has" in done.stderr


def test_a_key_that_is_needed_is_asked_for(model_server: FakeModelServer, tmp_path: Path) -> None:
    """A gateway with keys refuses a caller without one, and the sentence says where it is given."""
    folder_of(tmp_path, 2)
    Place(tmp_path).must("keys", "create", "--name", "me", "--scope", "predict")
    keys = {"GATEWAY_API_KEYS_FILE": str(tmp_path / "keys.json")}
    with gateway_process(model_server.address, None, keys) as running:
        done = Place(tmp_path).predict("predict", "000.png", "--url", str(running.client.base_url))
    assert done.returncode == 2
    assert done.stderr.endswith("Set GRAFT_API_KEY to a key.\n")


def test_an_address_with_a_path_is_explained(url: str, tmp_path: Path) -> None:
    """The endpoint instead of the gateway, and a server that is none."""
    folder_of(tmp_path, 2)
    with served(SimpleHTTPRequestHandler) as other:
        for address in (f"{url}/v1/predict", other):
            done = Place(tmp_path).predict("predict", "000.png", "--url", address)
            assert done.returncode == 2
            assert done.stderr.endswith(". --url takes the address of a gateway, without /v1/predict.\n")

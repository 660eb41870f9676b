"""`graft bench` on a gateway as a process: what is measured, what failed, and what is left after Ctrl-C."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from graft.actions.bench.images import read_images
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import RunningGateway, gateway_process
from tests.gateway.waiting import wait_until
from tests.graft.places import Place

_SHORT = ("--seconds", "0.3", "--warm-up", "0")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder with four images, one of them in a folder below."""
    for number in range(4):
        path = tmp_path / "photos" / ("deeper" if number == 3 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(marked_image(number=number))
    return Place(tmp_path)


def measured(place: Place, *arguments: str) -> dict[str, Any]:
    """Run the verb and return its JSON; every request must have a prediction."""
    found: dict[str, Any] = json.loads(place.must("bench", *arguments, "--json"))
    return found


def first_and_last(folder: Path) -> tuple[Path, Path]:
    """Return the images that are sent first and last."""
    names = [name for name, _ in read_images([str(folder)]).images]
    return Path(names[0]), Path(names[-1])


def test_closed_and_open_loops_are_measured(place: Place, gateway: RunningGateway, url: str) -> None:
    """Rates, percentiles, and the cost of the process that was found at the port of the URL."""
    options = ("--clients", "1,2", "--rate", "40", "--seconds", "0.6", "--warm-up", "0.2")
    found = measured(place, url, "photos", *options)
    assert (found["protocol"], found["model"], found["version"], found["complete"]) == ("native", "flowers", "1", True)
    assert found["images"]["sent"] == found["images"]["found"] == 4
    assert [each["pid"] for each in found["processes"]] == [gateway.process.pid]
    assert found["processes"][0]["name"] == "graft gateway"
    loads = found["loads"]
    assert [(each["kind"], each["clients"], each["rate"]) for each in loads] == [
        ("closed", 1, None),
        ("closed", 2, None),
        ("open", None, 40.0),
    ]
    for each in loads:
        assert each["failed"] == 0
        assert each["images_per_second"] == pytest.approx(each["requests"] / each["seconds"], rel=0.01)
        shares = [each["latency_ms"][name] for name in ("p50", "p90", "p95", "p99", "max")]
        assert shares == sorted(shares)
        assert shares[0] > 0
        assert each["memory_peak_mb"] > 20
        assert 0 < each["generator_cpu_share"] < 1.5
    assert sum(each["cpu_ms_per_image"] for each in loads) > 0
    assert loads[2]["requests"] == pytest.approx(24, abs=16), "a seed gives the same arrivals each time"


def test_every_image_is_sent_in_turns(place: Place, model_server: FakeModelServer, url: str) -> None:
    """All images of the folder and below it, also of a pattern and a file, none more often than others."""
    model_server.calls.forget()
    found = measured(place, url, "photos/[01].png", "photos/2.png", "photos/deeper", "--clients", "1", *_SHORT)
    calls = model_server.calls.count("Predict")
    assert found["images"]["sent"] == 4
    assert calls == found["loads"][0]["requests"] + 1, "and one to see whether there is a prediction"


def test_a_table_says_whose_numbers_they_are(place: Place, url: str) -> None:
    """For people: the service, the images, a row for each load, and what limits its worth."""
    shown = place.must("bench", url, "photos", "--clients", "1", "--rate", "20", *_SHORT).splitlines()
    assert shown[0] == f"{url} (native, model flowers version 1)"
    assert shown[1].startswith("4 images, 0 KB on average")
    header = shown.index(next(line for line in shown if "open, 20/s" in line))
    assert shown[header].split() == ["1", "client", "open,", "20/s"]
    table = {line.split("  ")[0]: line.split()[-2:] for line in shown[header + 1 : shown.index("", header)]}
    assert list(table) == [
        *("requests", "failed", "images/s", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms"),
        *("CPU ms/image", "peak MB", "others' CPU", "own CPU"),
    ]
    assert table["failed"] == ["0", "0"]
    assert all(len(line) <= 80 for line in shown[header : shown.index("", header)])
    assert any("are those of graft gateway (" in line for line in shown)
    assert any("open, 20/s: p99 of " in line for line in shown)


def test_failures_are_counted_by_code(place: Place, url: str) -> None:
    """Each kind with its number, its sentence and the first image; the others are measured, and the exit code is 1."""
    _, last = first_and_last(place.root / "photos")
    last.write_bytes(b"notes, not an image")
    done = place.predict("bench", url, "photos", "--clients", "2", *_SHORT, "--json")
    assert done.returncode == 1
    load = json.loads(done.stdout)["loads"][0]
    assert len(load["errors"]) == 1
    error = load["errors"][0]
    assert (error["status"], error["code"], Path(error["image"]).name) == (415, "not_an_image", last.name)
    assert "got text" in error["detail"]
    assert error["count"] == load["failed"] == pytest.approx(load["requests"] / 4, abs=2)
    shown = place.predict("bench", url, "photos", "--clients", "2", *_SHORT).stdout
    assert "requests failed, 415 not_an_image; the first, photos/" in shown


@pytest.mark.parametrize("protocol", ["tensorflow", "open-inference"])
def test_other_protocols_are_measured(place: Place, url: str, protocol: str) -> None:
    """A row that the model's graph rejects has the status 200, and is a failure all the same."""
    options = ("--protocol", protocol, "--model", "flowers", "--version", "1", "--clients", "1", *_SHORT)
    assert measured(place, url, "photos", *options)["loads"][0]["failed"] == 0
    _, last = first_and_last(place.root / "photos")
    last.write_bytes(marked_image("BROKEN"))
    done = place.predict("bench", url, "photos", *options, "--json")
    assert done.returncode == 1
    load = json.loads(done.stdout)["loads"][0]
    assert [(each["status"], each["code"]) for each in load["errors"]] == [(200, "invalid_image")]
    assert load["failed"] == pytest.approx(load["requests"] / 4, abs=2)


def test_any_service_that_takes_an_image_is_measured(place: Place, url: str) -> None:
    """`--protocol raw` sends to the URL as it is, its query included."""
    raw = f"{url}/v1/models/flowers/predict?version=1"
    found = measured(place, raw, "photos", "--protocol", "raw", "--clients", "1", *_SHORT)
    assert found["loads"][0]["failed"] == 0
    assert found["version"] == "1"


def test_a_request_without_a_response_fails_in_time(place: Place, url: str) -> None:
    """It is counted as timed out, in both kinds of loops, and the others go on."""
    _, last = first_and_last(place.root / "photos")
    last.write_bytes(marked_image("HANG"))
    options = ("--timeout", "0.2", "--clients", "2", "--rate", "30", *_SHORT)
    done = place.predict("bench", url, "photos", *options, "--json")
    assert done.returncode == 1
    for load in json.loads(done.stdout)["loads"]:
        assert [(each["status"], each["code"]) for each in load["errors"]] == [(None, "timed_out")]
        assert load["errors"][0]["detail"].startswith("No response within 0.")
        assert load["seconds"] < 3


def test_ctrl_c_prints_what_was_measured(place: Place, model_server: FakeModelServer, url: str) -> None:
    """The JSON says that it is not complete, and the exit code is that of an interruption."""
    model_server.calls.forget()
    command = ["bench", url, "photos", "--clients", "1", "--seconds", "60", "--warm-up", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "graft", *command],
        cwd=place.root,
        env={"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: model_server.calls.count("Predict") > 20, 30)
            process.send_signal(signal.SIGINT)
            shown, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.strip().endswith("Stopped.")
    found = json.loads(shown)
    assert not found["complete"]
    assert found["loads"][0]["requests"] >= 10
    assert found["loads"][0]["failed"] == 0


def test_a_process_that_ends_meanwhile_is_said(place: Place, model_server: FakeModelServer, url: str) -> None:
    """The requests are measured all the same; what the process used is not known, and does not become a number."""
    model_server.calls.forget()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def end() -> None:
            wait_until(lambda: model_server.calls.count("Predict") > 10, 30)
            process.kill()
            process.wait()

        ending = threading.Thread(target=end)
        ending.start()
        options = ("--pid", str(process.pid), "--clients", "1", "--rate", "10", "--seconds", "1", "--warm-up", "0")
        found = measured(place, url, "photos", *options)
        ending.join()
    assert [each["name"] for each in found["processes"]] == [Path(sys.executable).name]
    for load in found["loads"]:
        assert load["cpu_ms_per_image"] is load["memory_peak_mb"] is None
        assert "a process of the service ended meanwhile: CPU and memory are not known." in load["warnings"]
        assert load["failed"] == 0


def test_a_key_is_sent(place: Place, model_server: FakeModelServer) -> None:
    """That of --api-key or GRAFT_API_KEY, and one that is missing is named."""
    printed = place.must("keys", "create", "--name", "me", "--scope", "predict")
    key = next(word for word in printed.split() if word.startswith("graft_"))
    keys = {"GATEWAY_API_KEYS_FILE": str(place.root / "keys.json")}
    with gateway_process(model_server.address, None, keys) as running:
        address = str(running.client.base_url)
        assert place.refused("bench", address, "photos").endswith("Set GRAFT_API_KEY to a key.")
        options = ("--api-key", key, "--clients", "1", *_SHORT)
        assert measured(place, address, "photos", *options)["loads"][0]["failed"] == 0

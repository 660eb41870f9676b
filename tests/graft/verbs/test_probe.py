"""`graft probe`: predicts an image as a caller would, says whether it went as expected, and why not."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.main import get_command

from graft.actions.probe.failure import REASONS
from graft.actions.probe.image import drawn_image
from graft.actions.probe.metrics import ProbeMetrics
from graft.cli import app
from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import gateway_process
from tests.gateway.metric_values import read_metrics
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys
from tests.gateway.security.certificates import Authority
from tests.gateway.waiting import wait_until
from tests.graft.places import Ended, Place
from tests.places import ROOT


def probed(tmp_path: Path, url: str, *arguments: str) -> tuple[Ended, dict[str, object]]:
    """Probe once; return how it ended, and the line that it wrote."""
    done = Place(tmp_path).predict("probe", url, "--once", *arguments)
    return done, json.loads(done.stdout)


def test_a_drawn_image_is_predicted(url: str, tmp_path: Path) -> None:
    """Without anything but the URL, a drawn image is sent; the line has the version, label and time."""
    done, line = probed(tmp_path, url)
    assert done.returncode == 0
    assert line["outcome"] == "ok"
    assert line["label"] == label_for(drawn_image())
    assert (line["url"], line["model"], line["version"]) == (url.rstrip("/"), "default", "1")
    assert line["event"] == "probe"


def test_a_label_can_be_expected(url: str, tmp_path: Path) -> None:
    """An image of one's own with its label succeeds; with another label the exit code is 1, and the line says both."""
    (tmp_path / "rose.png").write_bytes(marked_image(number=3))
    label = label_for(marked_image(number=3))
    done, _ = probed(tmp_path, url, "--image", "rose.png", "--expect-label", label)
    assert done.returncode == 0
    done, line = probed(tmp_path, url, "--image", "rose.png", "--expect-label", "a whale")
    assert done.returncode == 1
    assert line["outcome"] == "wrong_prediction"
    assert line["detail"] == f"{label!r} was predicted, not 'a whale'."


def test_an_unknown_model_is_a_status(url: str, tmp_path: Path) -> None:
    """What the gateway says of its refusal is in the line."""
    done, line = probed(tmp_path, url, "--model", "whales")
    assert done.returncode == 1
    assert line["outcome"] == "status"
    assert "404" in str(line["detail"])


def test_what_only_a_caller_sees(tmp_path: Path) -> None:
    """A name that does not resolve, a port that nobody listens on, and silence, each with its own reason."""
    _, line = probed(tmp_path, "http://no-such-name.invalid")
    assert line["outcome"] == "dns"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        _, line = probed(tmp_path, f"http://user:secret@127.0.0.1:{port}", "--timeout", "0.2")
        assert line["outcome"] == "timeout"
        assert "secret" not in json.dumps(line)
    _, line = probed(tmp_path, f"http://127.0.0.1:{port}")
    assert line["outcome"] == "no_connection"


def test_a_page_is_no_prediction(tmp_path: Path) -> None:
    """A load balancer's friendly page with status 200 is not taken for a prediction."""
    (tmp_path / "page.py").write_text(
        "import http.server\n"
        "class Page(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers['content-length']))\n"
        "        self.send_response(200); self.send_header('content-length', '4'); self.end_headers()\n"
        "        self.wfile.write(b'back')\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Page)\n"
        "print(server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen([sys.executable, tmp_path / "page.py"], stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        port = page.stdout.readline().strip()
        try:
            done, line = probed(tmp_path, f"http://127.0.0.1:{port}")
        finally:
            page.kill()
    assert done.returncode == 1
    assert line["outcome"] == "unexpected_response"
    assert "'back'" in str(line["detail"])


def test_tls_and_keys(model_server: FakeModelServer, tmp_path: Path) -> None:
    """A certificate has to be trusted and to hold for the name; the key is read from its file at every probe."""
    authority, key = Authority(tmp_path), Keys(tmp_path / "keys.json")
    pair = authority.vouch("server")
    (tmp_path / "key").write_text(key.add("predict") + "\n")
    given = {"model_server": model_server.address, "api_keys_file": key.path}
    with running_gateway(False, tls_certificate=pair.certificate, tls_key=pair.key, **given) as client:
        url = str(client.base_url)
        trusting = ("--ca", str(authority.certificate))
        _, line = probed(tmp_path, url, "--api-key-file", "key")
        assert line["outcome"] == "tls"
        _, line = probed(tmp_path, url, *trusting)
        assert (line["outcome"], str(line["detail"])[:10]) == ("status", "Status 401")
        wait_until(lambda: probed(tmp_path, url, *trusting, "--api-key-file", "key")[0].returncode == 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://images"], "'ftp://images' is not the URL of a gateway"),
        (["images.example.com"], "'images.example.com' is not the URL of a gateway"),
        (["http://[::1"], "'http://[::1' is not a URL"),
        (["http://a", "--image", "gone.jpg"], "The image gone.jpg cannot be read: No such file or directory."),
        (["http://a", "--api-key-file", "gone"], "The key in gone cannot be read"),
        (["http://a", "--api-key-file", "empty"], "empty has to hold one API key, and nothing else."),
        (["http://a", "--ca", "empty"], "empty holds no certificates to trust"),
        (["http://a", "--models", "models"], "--models needs the name of the model"),
        (["http://a", "--models", "gone", "--model", "a"], "There is no folder gone;"),
        (
            ["http://a", "--models", ".", "--model", "a", "--image", "empty"],
            "The image comes from --image or from --models",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    """What cannot be used is said in one line on standard error, with exit code 2."""
    (tmp_path / "empty").write_text("")
    done = Place(tmp_path).predict("probe", "--once", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_the_documented_options_metrics_and_outcomes_are_these() -> None:
    """docs/probe.md has a row for each option and metric, with the labels, and a line for each outcome."""
    page = (ROOT / "docs" / "probe.md").read_text()
    options = {option for each in get_command(app).commands["probe"].params for option in each.opts}  # type: ignore[attr-defined]
    assert set(re.findall(r"`(--[\w-]+)`", page.partition("| metric |")[0])) == options - {"url"}
    metrics = ProbeMetrics(["flowers"])
    metrics.note("flowers", None, 0.1, 1.0)
    shown = {
        (sample.name, *sorted(sample.labels))
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    rows = re.findall(r"^\| `(graft_\w+)` \| \w+ \| [^|]+ \| ([^|]+) \|", page, re.MULTILINE)
    assert {(name, *sorted(re.findall(r"\w+", labels))) for name, labels in rows} == shown
    assert set(re.findall(r"^- `(\w+)`:", page, re.MULTILINE)) == {"ok", *REASONS}


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """The port for metrics may be taken; the sentence says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = Place(tmp_path).predict("probe", "http://a", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "give another --port" in done.stderr


def test_metrics_follow_an_outage_and_a_signal_ends_it(tmp_path: Path) -> None:
    """Metrics say that it works, then that it does not and since when; SIGTERM and Ctrl-C end it with code 0."""
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    with gateway_process(server.address, shutdown_delay_seconds=0) as gateway:
        url = str(gateway.client.base_url)
        command = [sys.executable, "-m", "graft", "probe", url, "--interval", "1", "--port", "0", "--model", "flowers"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as probe:
            try:
                assert probe.stderr is not None
                found = re.search(r"http://\S+(?=/metrics)", probe.stderr.readline())
                assert found

                wait_until(lambda: shown(found[0], "graft_probe_success") == 1)
                assert shown(found[0], "graft_probe_duration_seconds") > 0
                server.stop()
                wait_until(lambda: shown(found[0], "graft_probe_success") == 0, 30)
                last = shown(found[0], "graft_probe_last_success_timestamp_seconds")
                assert last > 0
                wait_until(lambda: failed(found[0]) >= 2, 30)
                assert shown(found[0], "graft_probe_last_success_timestamp_seconds") == last
                probe.send_signal(signal.SIGTERM)
                lines = [json.loads(line) for line in probe.communicate(timeout=20)[0].splitlines()]
            finally:
                probe.kill()
    assert probe.returncode == 0
    assert lines[0]["outcome"] == "ok"
    assert lines[-1]["outcome"] in {"status", "timeout"}


def shown(page: str, name: str) -> float:
    """Return a metric of the model flowers, 0 where there is none yet."""
    with httpx.Client(base_url=page, trust_env=False) as client:
        return read_metrics(client).get((name, frozenset({("model", "flowers")})), 0.0)


def failed(page: str) -> float:
    """Return how many probes ended otherwise than well."""
    with httpx.Client(base_url=page, trust_env=False) as client:
        found = {dict(labels).get("outcome"): value for (name, labels), value in read_metrics(client).items()}
    return sum(value for outcome, value in found.items() if outcome not in {None, "ok"})

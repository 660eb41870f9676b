"""What `make bench-predict` sends, and how it judges."""

import os
from email import message_from_bytes

import pytest

from benchmarks.bench_predict import ComparedRound, batched, print_report
from benchmarks.serving.systems import System
from graft.traffic.process_tree import ProcessTree
from tests.drawn.images import COLOURS, encoded, solid

IMAGES = [encoded(solid(colour), "JPEG") for colour in COLOURS.values()]


def test_a_batch_is_one_form_with_so_many_images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Images take turns, and the length in the head is that of the body."""
    system = System("graft up", "/v1/predict", 8000, ProcessTree(os.getpid()), tmp_path_factory.getbasetemp(), 0.0)
    (request,) = batched(system, IMAGES, 5)
    head, _, body = request.partition(b"\r\n\r\n")
    _, headers = head.split(b"\r\n", 1)
    sent = message_from_bytes(headers + b"\r\n\r\n" + body)
    assert int(sent["content-length"]) == len(body)
    parts = sent.get_payload()
    assert isinstance(parts, list)
    assert len(parts) == 5
    assert body.count(IMAGES[0]) == 2
    assert body.count(IMAGES[2]) == 1


@pytest.mark.parametrize(("command", "verdict"), [(90.0, "reached"), (89.0, "missed")])
def test_the_ratio_is_to_the_capacity_with_one_image_in_a_request(
    command: float, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The higher of these rates counts, as in `make bench-serving`, and the median of the rounds is judged."""
    measured = ComparedRound({(1, 8): 100.0, (1, 32): 80.0, (32, 4): 180.0}, command, 5.0)
    print_report([measured])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"graft predict reaches {command / 100:.2f} (" in shown
    assert f"It reaches {command / 180:.2f} (" in shown
    assert f"at least 0.9 is {verdict}" in shown

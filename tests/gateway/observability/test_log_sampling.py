"""A flood of refusals or shed requests leaves room in the log for everything else."""

import io
import json
import logging
from typing import Any

import pytest

from gateway.observability.log_sampling import FIRST_IN_A_MINUTE, LogSample
from gateway.observability.logs import RequestLog, set_up_logs
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.metric_values import value
from tests.gateway.observations import observation_of
from tests.gateway.running import settings_for
from tests.gateway.waiting import wait_until_ready

FLOOD = 5000


class Clock:
    """A monotonic clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("overloaded", 503), ("not_an_image", 415), ("missing_credentials", 401), ("circuit_open", 503)],
)
def test_a_flood_of_one_outcome_is_sampled(outcome: str, status: int) -> None:
    """Of thousands in a minute the first hundred and a hundredth of the rest are written; what else fails is too."""
    stream = io.StringIO()
    log = RequestLog(settings_for(), stream)
    taken = [log.write(observation_of(outcome=outcome, status=status), "/v1/predict", 0.1) for _ in range(FLOOD)]
    assert log.write(observation_of(outcome="internal_error", status=500), "/v1/predict", 0.1)
    lines = written(stream)
    assert taken[:FIRST_IN_A_MINUTE] == [True] * FIRST_IN_A_MINUTE
    assert FIRST_IN_A_MINUTE < taken.count(True) < FIRST_IN_A_MINUTE + FLOOD / 100 * 2.5
    assert [line["outcome"] for line in lines] == [outcome] * taken.count(True) + ["internal_error"]
    left_out = sum(line.get("left_out", 0) for line in lines)
    last = len(taken) - 1 - taken[::-1].index(True)
    assert left_out == taken[: last + 1].count(False)


def test_the_first_of_each_minute_are_written() -> None:
    """With a share of 0 the first hundred of a kind are taken each minute, whatever other kinds there are."""
    clock = Clock()
    sample = LogSample(0.0, clock)
    for _ in range(2):
        taken = [(sample.takes("shed"), sample.takes("refused")) for _ in range(300)]
        assert taken == [(True, True)] * 100 + [(False, False)] * 200
        clock.now += 60
    assert sample.left_out("shed") == 400
    assert sample.left_out("shed") is None
    assert sample.left_out("never") is None


def test_all_are_written_if_the_settings_say_so() -> None:
    """With a share of 1 every line is written."""
    stream = io.StringIO()
    log = RequestLog(settings_for(log_sample_others=1), stream)
    for _ in range(1000):
        log.write(observation_of(outcome="overloaded", status=503), "/v1/predict", 0.1)
    assert len(written(stream)) == 1000


def test_what_is_left_out_is_counted(start_gateway: StartGateway) -> None:
    """The metric has the requests without a line, by outcome."""
    gateway = start_gateway(log_sample_others=0, log_sample=0)
    wait_until_ready(gateway)
    for _ in range(FIRST_IN_A_MINUTE + 5):
        gateway.post("/v1/predict", content=b"text")
    gateway.post("/v1/predict", content=draw())
    assert value(gateway, "log_lines_left_out_total", outcome="not_an_image") == 5
    assert value(gateway, "log_lines_left_out_total", outcome="ok") >= 1


def test_lines_from_one_place_are_sampled() -> None:
    """Other lines of a flood, such as the cause of each failed call, are sampled by the place they come from."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    set_up_logs(settings_for(log_sample_others=0.01), stream)
    try:
        for number in range(FLOOD):
            logging.getLogger("flood").warning("Call %d failed.", number)
        logging.getLogger("other").warning("Something else.")
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    lines = written(stream)
    assert [line["event"] for line in lines][:2] == ["Call 0 failed.", "Call 1 failed."]
    assert FIRST_IN_A_MINUTE < len(lines) < FIRST_IN_A_MINUTE + FLOOD / 100 * 2.5
    assert [line for line in lines if "such lines before this one were left out" in line["event"]]
    assert lines[-1]["event"] == "Something else."

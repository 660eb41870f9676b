"""Each bound of an attack, met and broken."""

from collections import Counter

import pytest

from benchmarks.attack.attack import http_attack
from benchmarks.attack.measuring import GATEWAY, MODEL_SERVER, Outcome, Use
from benchmarks.attack.report import Noise, attack_table, faults
from graft.traffic.clients import Load

QUIET = Noise(p99_ms=100.0, spread=1.2, waited=0.01, model_server_mb=500.0)
NEARLY_TOO_MUCH = (Use(0.24, 399.0), Use(1.9, 1299.0))
ATTACK = http_attack("an attack", "text", lambda target: target.request("/"))


def outcome(
    responses: tuple[str, ...] = ("415 not_an_image",),
    gateway: Use = NEARLY_TOO_MUCH[0],
    model_server: Use = NEARLY_TOO_MUCH[1],
    blocked: float = 0.059,
    p99: tuple[float, ...] = (0.179,),
    lost: int = 0,
) -> Outcome:
    """Return an outcome just within all bounds, but for what is given."""
    beside = [Load([each] * 100, Counter({200: 100, 503: lost})) for each in p99]
    use = {GATEWAY: gateway, MODEL_SERVER: model_server}
    return Outcome(ATTACK, list(responses), 1.0, use, blocked, beside)


def test_what_is_within_all_bounds_has_no_fault() -> None:
    """The last values that are allowed."""
    assert faults(outcome(), QUIET) == []


def test_without_rounds_beside_it_nothing_waited() -> None:
    """The short form sends most attacks alone."""
    alone = Outcome(ATTACK, ["415 not_an_image"], 1.0, {}, 0.01)
    assert faults(alone, QUIET) == []
    assert alone.p99_ms == alone.lost == 0


def test_one_slow_round_is_the_machines() -> None:
    """The median of the rounds beside an attack counts, and the lost requests of all."""
    assert faults(outcome(p99=(0.9, 0.1, 0.17)), QUIET) == []
    assert faults(outcome(p99=(0.9, 0.1, 0.17), lost=2), QUIET) == ["6 good requests lost"]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (outcome(responses=("415 x", "200")), "responses: 200"),
        (outcome(responses=("closed",)), "responses: closed"),
        (outcome(gateway=Use(0.26, 100.0)), "gateway CPU 0.26 s"),
        (outcome(gateway=Use(0.1, 401.0)), "gateway 401 MB"),
        (outcome(model_server=Use(2.1, 600.0)), "model server CPU 2.10 s"),
        (outcome(model_server=Use(1.0, 1301.0)), "model server 1301 MB"),
        (outcome(blocked=0.061), "blocked for 61 ms"),
        (outcome(p99=(0.19,)), "p99 x 1.90"),
        (outcome(p99=(0.1, 0.19, 0.9)), "p99 x 1.90"),
        (outcome(lost=3), "3 good requests lost"),
    ],
)
def test_what_is_beyond_a_bound_is_one_fault(broken: Outcome, text: str) -> None:
    """Each value just beyond its bound is named, and nothing else."""
    assert faults(broken, QUIET) == [text]


def test_times_are_not_judged_where_others_work_on_the_machine() -> None:
    """Waits of the short form are printed only, and processors may be slow; lost requests are faults all the same."""
    shared = Noise(100.0, 1.0, 0.01, 500.0, judged_times=False)
    assert faults(outcome(blocked=9.0, p99=(9.0,), gateway=Use(0.7, 100.0), model_server=Use(5.9, 600.0)), shared) == []
    assert faults(outcome(gateway=Use(0.8, 100.0)), shared) == ["gateway CPU 0.80 s"]
    assert faults(outcome(lost=1), shared) == ["1 good requests lost"]


def test_attacks_without_rounds_are_in_the_table() -> None:
    """The short form sends most attacks with nobody beside them: their waits are a dash, and no traceback."""
    table = attack_table([Outcome(ATTACK)], Noise(20.0, 1.0, 0.0, 0.0, judged_times=False))
    waits = next(column for column in table.columns if column.header == "p99 ratio")
    assert list(waits.cells) == ["-"]

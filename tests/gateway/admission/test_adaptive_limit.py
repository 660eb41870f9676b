"""How many are let through follows the model server's latency, within bounds."""

from gateway.admission.adaptive_limit import AdaptiveLimit

USUAL_SECONDS = 0.02


def settled(maximum: int = 64) -> AdaptiveLimit:
    """Return a limit that has heard of many calls at the usual latency, with as many in flight as it allows."""
    limit = AdaptiveLimit(maximum)
    for _ in range(1000):
        limit.note(USUAL_SECONDS, limit.current)
    return limit


def test_it_begins_low_and_grows_to_the_maximum() -> None:
    """A steady latency under full use lets more and more through, up to the maximum."""
    assert AdaptiveLimit(64).current == 16
    assert settled().current == 64


def test_it_falls_when_calls_take_longer() -> None:
    """Calls that take four times as long as usual bring the limit down, but never below four."""
    limit = settled()
    for _ in range(100):
        limit.note(4 * USUAL_SECONDS, limit.current)
    fallen = limit.current
    assert 4 <= fallen < 32
    for _ in range(1000):
        limit.note(100 * USUAL_SECONDS, limit.current)
    assert limit.current >= 4


def test_it_recovers() -> None:
    """When calls are as quick as before, it grows again."""
    limit = settled()
    for _ in range(100):
        limit.note(4 * USUAL_SECONDS, limit.current)
    fallen = limit.current
    for _ in range(1000):
        limit.note(USUAL_SECONDS, limit.current)
    assert limit.current > fallen


def test_few_in_flight_tell_nothing() -> None:
    """A slow call with hardly any beside it is no sign of overload."""
    limit = settled()
    for _ in range(100):
        limit.note(4 * USUAL_SECONDS, 1)
    assert limit.current == 64

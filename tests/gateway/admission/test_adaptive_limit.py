"""How many are let through follows what the model server completes while requests wait."""

from gateway.admission.adaptive_limit import AdaptiveLimit

TARGET_SECONDS = 0.2


class Server:
    """A model server that completes so many calls a second, which it can always do."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self.now = 1000.0

    def run(self, calls: int, per_second: float, waiting: int) -> int:
        """Let calls end while so many requests wait; return the limit."""
        for _ in range(calls):
            self.now += 1 / per_second
            self.limit.note(self.now, waiting)
        return self.limit.current


def server(maximum: int = 64) -> Server:
    """Return a server with a limit that nothing has lowered yet."""
    return Server(AdaptiveLimit(maximum, TARGET_SECONDS))


def test_it_is_the_maximum_while_nobody_waits() -> None:
    """A slow server alone is no overload: what is in flight is all there is."""
    slow = server()
    assert slow.limit.current == 64
    assert slow.run(1000, per_second=2, waiting=0) == 64


def test_while_requests_wait_calls_take_the_target() -> None:
    """At 100 calls a second, 20 in flight take 0.2 s each; it is there within half a second, and stays there."""
    overloaded = server()
    assert 20 <= overloaded.run(50, per_second=100, waiting=60) <= 22
    assert overloaded.run(10_000, per_second=100, waiting=60) == 20


def test_it_follows_a_server_that_becomes_slower_or_faster() -> None:
    """A server that loses half of its processors has half as many in flight, and more again when it has them back."""
    overloaded = server()
    overloaded.run(200, per_second=200, waiting=60)
    assert overloaded.run(200, per_second=100, waiting=60) == 20
    assert 38 <= overloaded.run(400, per_second=200, waiting=60) <= 40


def test_it_recovers_as_soon_as_nobody_waits() -> None:
    """What was lowered is the maximum again after a moment without a queue."""
    overloaded = server()
    assert overloaded.run(200, per_second=50, waiting=60) == 10
    assert overloaded.run(60, per_second=50, waiting=0) == 64


def test_a_short_queue_changes_nothing() -> None:
    """A burst is over before it says anything about the server, and the time before it does not count."""
    idle = server()
    idle.run(3, per_second=0.1, waiting=0)
    assert idle.run(8, per_second=100, waiting=5) == 64
    assert idle.run(1, per_second=0.1, waiting=0) == 64


def test_calls_that_end_together_are_no_infinite_speed() -> None:
    """The calls of a batch end at the same moment."""
    limit = AdaptiveLimit(64, TARGET_SECONDS)
    for _ in range(20):
        limit.note(5.0, waiting=60)
    assert limit.current == 64


def test_some_are_always_let_through() -> None:
    """A server that hardly completes anything still gets four, and never more than the maximum."""
    assert server().run(100, per_second=0.5, waiting=60) == 4
    assert server(maximum=1).run(100, per_second=0.5, waiting=60) == 1
    assert server(maximum=2).run(100, per_second=500, waiting=60) == 2

"""The formulas of docs/scaling.md, against published values, laws of queues, and a simulation."""

import math

import numpy as np
import pytest

from benchmarks.scaling.queueing import BatchServer, OverloadedError, Queue, erlang_c, poisson
from tests.benchmarks.scaling.queue_simulation import arrivals, simulate_batches, simulate_servers

REQUESTS = 100_000
MEAN_TOLERANCE, P99_TOLERANCE, APPROXIMATE = 0.04, 0.08, 0.12
SERVER = BatchServer(fixed=0.012, each=0.011, most=8)


@pytest.mark.parametrize(
    ("servers", "offered", "expected"),
    [
        (1, 0.75, 0.75),  # M/M/1: as often as it is busy
        (2, 1.0, 1 / 3),  # M/M/2: 2u² / (1 + u) with u = 1/2
        (2, 1.5, 9 / 14),  # the same with u = 3/4
        (3, 2.0, 4 / 9),  # from the definition
        (10, 8.0, 0.409180),  # by the definition's sum, in rational numbers
    ],
)
def test_erlang_c_gives_known_values(servers: int, offered: float, expected: float) -> None:
    """The probability of waiting is the known one for few servers."""
    assert erlang_c(servers, offered) == pytest.approx(expected, abs=1e-6)


def test_erlang_c_follows_its_definition() -> None:
    """The recursion gives what Erlang's sum gives, for any number of servers up to 40."""
    for servers in range(1, 41):
        offered = 0.8 * servers
        last = offered**servers / math.factorial(servers) / (1 - offered / servers)
        total = sum(offered**busy / math.factorial(busy) for busy in range(servers)) + last
        assert erlang_c(servers, offered) == pytest.approx(last / total, rel=1e-9)


def test_a_queue_that_only_grows_is_refused() -> None:
    """As much work as can be done, or more, has no steady state, and says so."""
    with pytest.raises(OverloadedError, match=r"2\.00 servers would be busy, and there are 2"):
        erlang_c(2, 2.0)
    with pytest.raises(OverloadedError, match="can be served"):
        SERVER.respond(SERVER.capacity)
    with pytest.raises(ValueError, match="no server behaves like this"):
        BatchServer(fixed=0.0, each=0.0, most=8)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_server_waits_as_pollaczek_and_khinchin_say(load: float) -> None:
    """For one server the mean wait is exact: that of constant times is half of that of exponential ones."""
    constant, exponential = (Queue(load / 0.02, 1, 0.02, variation).mean_wait for variation in (0.0, 1.0))
    assert exponential == pytest.approx(load * 0.02 / (1 - load))
    assert constant == pytest.approx(exponential / 2)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (2, 0.6), (4, 0.8), (16, 0.9)])
def test_exponential_queues_wait_as_simulated(servers: int, load: float) -> None:
    """Mean and 99th percentile of the wait are those of a simulation, within 4 % and 8 % of a mean time."""
    random = np.random.default_rng(servers)
    queue = Queue(load * servers / 0.02, servers, 0.02)
    seen = simulate_servers(arrivals(queue.rate, REQUESTS, random), servers, lambda: random.exponential(0.02))
    time = queue.mean_wait + queue.service
    assert seen.times.mean() == pytest.approx(time, rel=MEAN_TOLERANCE)
    assert np.quantile(seen.waits, 0.99) == pytest.approx(queue.wait_quantile(0.99), rel=P99_TOLERANCE)


@pytest.mark.parametrize(("servers", "shape"), [(2, 4.0), (4, 4.0), (8, 2.0)])
def test_allen_and_cunneen_come_close_to_the_simulation(servers: int, shape: float) -> None:
    """With gamma distributed times the approximate mean wait is within 12 % of the simulated one."""
    random = np.random.default_rng(7)
    queue = Queue(0.8 * servers / 0.02, servers, 0.02, variation=1 / shape)
    seen = simulate_servers(
        arrivals(queue.rate, REQUESTS, random), servers, lambda: random.gamma(shape, queue.service / shape)
    )
    assert seen.waits.mean() == pytest.approx(queue.mean_wait, rel=APPROXIMATE)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.85])
def test_batches_are_answered_as_simulated(load: float) -> None:
    """Mean time and 99th percentile of a server that batches are the simulated ones, within 4 % and 8 %."""
    rate = load * SERVER.capacity
    seen = simulate_batches(arrivals(rate, REQUESTS, np.random.default_rng(3)), SERVER.most, SERVER.time_of)
    found = SERVER.respond(rate)
    assert found.mean == pytest.approx(seen.times.mean(), rel=MEAN_TOLERANCE)
    assert found.quantile(0.99) == pytest.approx(float(np.quantile(seen.times, 0.99)), rel=P99_TOLERANCE)


def test_a_batch_of_one_is_an_ordinary_queue() -> None:
    """A server that takes one at a time waits as M/D/1, which has a formula."""
    single = BatchServer(fixed=0.0, each=0.02, most=1)
    queue = Queue(0.7 / 0.02, 1, 0.02, variation=0)
    assert single.respond(queue.rate).mean == pytest.approx(queue.mean_wait + 0.02, rel=0.01)
    assert single.respond(queue.rate).busy == pytest.approx(0.7, rel=0.01)


def test_batches_keep_up_where_single_images_would_not() -> None:
    """Batches grow with the load, and answer rates that one image at a time could not keep up with."""
    sizes = [SERVER.respond(load * SERVER.capacity).mean_batch for load in (0.1, 0.5, 0.9)]
    assert sizes[0] < 1.1
    assert sizes == sorted(sizes)
    assert sizes[-1] > 4
    with pytest.raises(OverloadedError):
        _ = Queue(0.7 * SERVER.capacity, 1, SERVER.time_of(1)).mean_wait


def test_poisson_is_a_distribution() -> None:
    """The probabilities are one together and have the right mean, also where nothing is expected."""
    for mean in (0.0, 0.3, 20.0):
        found = poisson(mean, 100)
        assert found.sum() == pytest.approx(1)
        assert found @ np.arange(100) == pytest.approx(mean)

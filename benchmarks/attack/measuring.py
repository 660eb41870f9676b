"""What one attack costs: processor time and memory of each process, and how long it keeps the others waiting."""

import asyncio
import contextlib
import io
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from statistics import median

import psutil
from PIL import Image

from benchmarks.attack.attack import Attack, Send
from benchmarks.attack.exchange import Target, exchange
from benchmarks.attack.neighbours import PAUSE_SECONDS, Neighbours
from graft.traffic.clients import Load
from graft.traffic.measuring import percentile_ms
from graft.traffic.process_tree import ProcessTree, role_of

GATEWAY, MODEL_SERVER = "gateway", "model server"
_SAMPLE_SECONDS = 0.02
SETTLE_SECONDS = 0.15
"""What works on after the response is work too."""


@dataclass(frozen=True)
class Use:
    """Processor seconds since a start, and the most resident megabytes (10^6) meanwhile, of one process."""

    cpu: float = 0.0
    peak_mb: float = 0.0


@dataclass
class Outcome:
    """What an attack did. `blocked` is the longest wait for `/livez` in seconds; `beside`: rounds of good clients."""

    attack: Attack
    responses: list[str] = field(default_factory=list)
    seconds: float = 0.0
    use: dict[str, Use] = field(default_factory=dict)
    blocked: float = 0.0
    beside: list[Load] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The good clients' 99th percentile in milliseconds beside the attack: the rounds' median; 0 without any."""
        return median_p99_ms(self.beside) if self.beside else 0.0

    @property
    def lost(self) -> int:
        """How many requests of good clients got no response or a wrong one."""
        return sum(load.failed for load in self.beside)


class Watch:
    """Watches the processes of a service and their children, by process id; without any it sees nothing."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._trees = [ProcessTree(pid) for pid in pids]

    def cpu(self) -> dict[str, float]:
        """Return the processor seconds so far, of the gateway and of the model server."""
        seconds = dict.fromkeys((GATEWAY, MODEL_SERVER), 0.0)
        for tree in self._trees:
            for role, spent in tree.cpu_by_process().items():
                seconds[_side(role)] += spent
        return seconds

    def resident_mb(self) -> dict[str, float]:
        """Return the megabytes that each holds now."""
        held = dict.fromkeys((GATEWAY, MODEL_SERVER), 0.0)
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                held[_side(role_of(process.cmdline()))] += process.memory_info().rss / 1e6
        return held

    def ended(self) -> bool:
        """Whether one of the processes has ended."""
        return any(not psutil.pid_exists(tree.pid) for tree in self._trees)

    def _processes(self) -> list[psutil.Process]:
        return [process for tree in self._trees for process in tree.processes()]


def _side(role: str) -> str:
    return MODEL_SERVER if "modelserver" in role or "model_server" in role else GATEWAY


@dataclass(frozen=True)
class Idle:
    """A service that nobody attacks: processor seconds a second, longest wait for `/livez`, memory."""

    cpu_share: dict[str, float]
    waited: float
    model_server_mb: float


async def measure_idle(target: Target, watch: Watch, neighbours: Neighbours, seconds: float) -> Idle:
    """Warm the service up with good clients, then return what it uses without any.

    One image is of a kind that the model server leaves to TensorFlow, which it loads then and keeps: what that takes is
    no attack's.
    """
    await measure_beside(None, neighbours, seconds)
    await exchange(target, target.request("/v1/predict", _cmyk_image()))
    before, began = watch.cpu(), time.perf_counter()
    pulse = neighbours.start_pulse()
    await asyncio.sleep(seconds)
    waited = await _ended(neighbours, pulse)
    took = time.perf_counter() - began
    shares = {name: (after - before[name]) / took for name, after in watch.cpu().items()}
    return Idle(shares, waited, watch.resident_mb()[MODEL_SERVER])


def _cmyk_image() -> bytes:
    content = io.BytesIO()
    Image.new("CMYK", (64, 64)).save(content, "JPEG")
    return content.getvalue()


async def measure_cost(
    attack: Attack,
    target: Target,
    watch: Watch,
    neighbours: Neighbours,
    idle: Idle,
    settle_seconds: float = SETTLE_SECONDS,
) -> tuple[Outcome, Send]:
    """Send an attack once with nobody beside it; return what it cost for each body, and how it is sent again."""
    send = attack.prepare(target)
    before, began = watch.cpu(), time.perf_counter()
    pulse = neighbours.start_pulse()
    sampling = asyncio.create_task(_peaks(watch))
    responses = await send()
    seconds = time.perf_counter() - began
    await asyncio.sleep(settle_seconds)
    sampling.cancel()
    blocked = await _ended(neighbours, pulse)
    took, peaks = time.perf_counter() - began, await _result(sampling)
    use = {}
    for name, after in watch.cpu().items():
        own = max(after - before[name] - idle.cpu_share[name] * took, 0.0)
        use[name] = Use(own / len(responses), peaks.get(name, 0.0))
    return Outcome(attack, responses, seconds, use, blocked), send


async def measure_beside(
    send: Send | None, neighbours: Neighbours, seconds: float, pause_seconds: float = PAUSE_SECONDS
) -> Load:
    """Run the good clients for `seconds`, beside one caller that sends an attack, if there is one.

    It waits between a response and its next request as the good clients do: what counts is what it sends, not how
    often, for which there are rate limits.
    """
    good = neighbours.start()
    end = time.perf_counter() + seconds
    while send:
        await send()
        await asyncio.sleep(pause_seconds)
        if time.perf_counter() > end:
            break
    await asyncio.sleep(max(end - time.perf_counter(), 0.0))
    neighbours.stop()
    return await asyncio.wrap_future(good)


async def _ended(neighbours: Neighbours, pulse: "Future[float]") -> float:
    neighbours.stop()
    return await asyncio.wrap_future(pulse)


async def _peaks(watch: Watch) -> dict[str, float]:
    peaks: dict[str, float] = {}
    try:
        while True:
            peaks = {name: max(held, peaks.get(name, 0.0)) for name, held in watch.resident_mb().items()}
            await asyncio.sleep(_SAMPLE_SECONDS)
    except asyncio.CancelledError:
        return peaks


async def _result(sampling: "asyncio.Task[dict[str, float]]") -> dict[str, float]:
    return await sampling


def median_p99_ms(rounds: Sequence[Load]) -> float:
    """Return the median of the rounds' 99th percentiles in milliseconds; 0 without rounds, as in the short form."""
    return median(percentile_ms(load.latencies, 99) for load in rounds) if rounds else 0.0


def spread(alone: Sequence[Load]) -> tuple[float, float]:
    """Return the median of the 99th percentiles of good clients alone, in ms, and how much the highest is above it."""
    middle = median_p99_ms(alone)
    return middle, max(percentile_ms(load.latencies, 99) for load in alone) / middle

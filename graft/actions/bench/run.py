"""Put loads on a running service, one after the other, and print what came of them."""

import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from graft.actions.bench.first_requests import first_prediction
from graft.actions.bench.images import BenchImages, read_images
from graft.actions.bench.outputs import print_json, print_result
from graft.actions.bench.processes import NotFoundHereError, described, listening_tree, named_tree
from graft.actions.bench.progress import LoadProgress
from graft.actions.bench.recorded import RecordedLoad
from graft.actions.bench.result import BenchResult, MeasuredLoad
from graft.actions.bench.target import BenchTarget
from graft.traffic.clients import Load, closed_loop, open_loop, poisson_arrivals
from graft.traffic.measuring import SAMPLE_SECONDS, CostMeter, MemoryPeak, run_load
from graft.traffic.process_tree import ProcessTree

_OPEN_CONNECTIONS = 256
_SEED = 1


@dataclass(frozen=True)
class BenchSettings:
    """What `graft bench` was asked for: closed loops of so many clients each, then open loops at so many rates."""

    target: BenchTarget
    images: Sequence[str]
    clients: Sequence[int]
    rates: Sequence[float]
    seconds: float
    warm_up_seconds: float
    pids: Sequence[int] = ()
    as_json: bool = False


def run_bench(settings: BenchSettings) -> bool:
    """Measure and print; return whether every request has a prediction. After Ctrl-C, prints what was measured.

    Raises:
        CommandError: the images cannot be read, or nothing predicts them.
    """
    tree = named_tree(settings.pids) if settings.pids else None
    images = read_images(settings.images)
    served = first_prediction(settings.target, images.images)
    form = settings.target.form
    result = BenchResult(
        settings.target.url,
        form.protocol.value,
        served.model,
        served.version,
        len(images.images),
        images.of,
        images.mean_bytes,
        images.unreadable,
    )
    try:
        tree = tree or listening_tree(settings.target.endpoint)
        result.processes = described(tree)
    except NotFoundHereError as error:
        result.no_processes = f"{error}; name its processes with --pid, on the machine where they are"
    try:
        with LoadProgress() as progress:
            _LoadSequence(settings, images, tree, progress).run(result)
        result.complete = True
    finally:
        if result.loads:
            (print_json if settings.as_json else print_result)(result)
    return not result.failed


class _LoadSequence:
    """The loads of one command, on the same images in the same order."""

    def __init__(
        self, settings: BenchSettings, images: BenchImages, tree: ProcessTree | None, progress: LoadProgress
    ) -> None:
        self._settings, self._tree, self._progress = settings, tree, progress
        requests = [(name, settings.target.request(content)) for name, content in images.images]
        self._requests = [request for _, request in requests]
        self._names = {id(request): name for name, request in requests}

    def run(self, result: BenchResult) -> None:
        """Warm up, and add each load to the result once it has ended, or was interrupted."""
        settings = self._settings
        if settings.warm_up_seconds:
            warm_up = self._closed(Load(), max(settings.clients, default=1), settings.warm_up_seconds)
            self._run("warm-up", settings.warm_up_seconds, warm_up)
        for clients in settings.clients:
            load = self._load()
            self._measure(result, load, self._closed(load, clients, settings.seconds), clients=clients)
        for rate in settings.rates:
            load = self._load()
            self._measure(result, load, self._open(load, rate), rate=rate)

    def _measure(
        self,
        result: BenchResult,
        load: RecordedLoad,
        loop: Coroutine[Any, Any, Load],
        clients: int | None = None,
        rate: float | None = None,
    ) -> None:
        meter = CostMeter(self._tree) if self._tree else None
        peak = MemoryPeak(self._tree) if self._tree else None
        title = MeasuredLoad(load, clients, rate).title
        try:
            self._run(title, self._settings.seconds, loop, peak.note if peak else lambda: None)
        finally:
            ended = self._tree is not None and self._tree.ended()
            cost = meter.read(load) if meter and not ended else None
            peak_mb = peak.peak_mb() if peak and not ended else None
            if load.statuses:
                result.loads.append(MeasuredLoad(load, clients, rate, cost, peak_mb, ended))

    def _run(
        self,
        title: str,
        seconds: float,
        loop: Coroutine[Any, Any, Load],
        on_sample: Callable[[], None] = lambda: None,
    ) -> None:
        def sample() -> None:
            on_sample()
            self._progress.pass_on(SAMPLE_SECONDS)

        self._progress.begin(title, seconds)
        run_load(loop, sample)

    def _closed(self, load: Load, clients: int, seconds: float) -> Coroutine[Any, Any, Load]:
        turns = itertools.cycle(self._requests)
        return closed_loop(self._settings.target.endpoint, turns, clients, seconds, into=load)

    def _open(self, load: Load, rate: float) -> Coroutine[Any, Any, Load]:
        due = poisson_arrivals(rate, self._settings.seconds, _SEED)
        turns = itertools.cycle(self._requests)
        return open_loop(self._settings.target.endpoint, turns, due, _OPEN_CONNECTIONS, into=load)

    def _load(self) -> RecordedLoad:
        return RecordedLoad(form=self._settings.target.form, names=self._names)

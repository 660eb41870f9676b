"""What was measured, as numbers for a table and for JSON, and what limits their worth."""

import math
from dataclasses import dataclass, field
from statistics import fmean

from graft.actions.bench.recorded import RecordedLoad
from graft.traffic.clients import lateness
from graft.traffic.measuring import Round, percentile_ms

PERCENTILES = (50, 90, 95, 99)
_FEW = 100
_BUSY_GENERATOR, _BUSY_OTHERS = 0.8, 0.25
_LATE_SECONDS, _LATE_SHARE = 0.001, 0.1


@dataclass(frozen=True)
class MeasuredLoad:
    """One load: of so many clients in closed loops, or at a rate.

    `cost` and `peak_mb` are of local processes, and not known where one of them `ended` meanwhile.
    """

    load: RecordedLoad
    clients: int | None = None
    rate: float | None = None
    cost: Round | None = None
    peak_mb: float | None = None
    ended: bool = False

    @property
    def title(self) -> str:
        """The load in words."""
        if self.rate is not None:
            return f"open, {self.rate:g}/s"
        return f"{self.clients} client{'s' * (self.clients != 1)}"

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self.load.statuses.total()

    @property
    def generator_share(self) -> float:
        """The processors that this command used meanwhile."""
        return self.load.generator / self.load.seconds if self.load.seconds else 0.0

    @property
    def max_ms(self) -> float:
        """The longest latency; NaN without one."""
        return percentile_ms(self.load.latencies, 100)

    def warnings(self) -> list[str]:
        """Return what limits the worth of the numbers, in sentences."""
        found = []
        if self.ended:
            found.append("a process of the service ended meanwhile: CPU and memory are not known.")
        if self.generator_share >= _BUSY_GENERATOR:
            found.append(
                f"this command itself took {self.generator_share:.2f} of a processor, and so was the limit: the service"
                " can do more. Run it several times at once, or on another machine."
            )
        late = lateness(self.load)
        if late > max(_LATE_SECONDS, _LATE_SHARE * percentile_ms(self.load.latencies, 50) / 1e3):
            found.append(
                f"requests were sent {late * 1e3:.1f} ms after they were due (median): latencies have that too."
            )
        if self.cost and self.cost.others >= _BUSY_OTHERS:
            found.append("other processes kept this machine busy: rates are too low, and latencies too high.")
        if 0 < len(self.load.latencies) < _FEW:
            found.append(f"p99 of {len(self.load.latencies)} responses says little; measure longer with --seconds.")
        return found

    def numbers(self) -> dict[str, object]:
        """Return everything for JSON; what was not measured is null."""
        load, cost = self.load, self.cost
        latencies: dict[str, float | None] = {"mean": _number(fmean(load.latencies) * 1e3 if load.latencies else None)}
        latencies |= {f"p{share}": _number(percentile_ms(load.latencies, share)) for share in PERCENTILES}
        latencies["max"] = _number(self.max_ms)
        predicted = bool(load.latencies)
        return {
            "kind": "closed" if self.rate is None else "open",
            "clients": self.clients,
            "rate": self.rate,
            "seconds": _number(load.seconds),
            "requests": self.requests,
            "failed": load.failed,
            "images_per_second": _number(load.per_second),
            "latency_ms": latencies,
            "cpu_ms_per_image": _number(cost.cpu_ms) if cost and predicted else None,
            "cpu_ms_per_image_by_process": (
                {name: _number(each * 1e3) for name, each in cost.cpu.items()} if cost and predicted else None
            ),
            "memory_peak_mb": _number(self.peak_mb),
            "generator_cpu_share": _number(self.generator_share),
            "sent_late_ms": _number(lateness(load) * 1e3) if self.rate is not None else None,
            "other_processes_cpu": _number(cost.others) if cost else None,
            "errors": [
                {"status": each.status or None, "code": each.code, "count": each.count, "detail": each.detail}
                | {"image": each.image}
                for each in load.failures.values()
            ],
            "warnings": self.warnings(),
        }


@dataclass
class BenchResult:
    """All loads on one service; `processes` are those whose processor time and memory were measured, or why none."""

    url: str
    protocol: str
    model: str
    version: str
    images: int
    images_of: int
    mean_bytes: float
    unreadable: list[tuple[str, str]]
    processes: list[tuple[int, str]] = field(default_factory=list)
    no_processes: str = ""
    loads: list[MeasuredLoad] = field(default_factory=list)
    complete: bool = False

    @property
    def failed(self) -> int:
        """How many requests have no prediction."""
        return sum(each.load.failed for each in self.loads)

    def numbers(self) -> dict[str, object]:
        """Return everything for JSON."""
        return {
            "url": self.url,
            "protocol": self.protocol,
            "model": self.model,
            "version": self.version,
            "complete": self.complete,
            "images": {
                "sent": self.images,
                "found": self.images_of,
                "mean_bytes": round(self.mean_bytes),
                "unreadable": [{"image": name, "detail": reason} for name, reason in self.unreadable],
            },
            "processes": [{"pid": pid, "name": name} for pid, name in self.processes],
            "no_processes": self.no_processes or None,
            "loads": [each.numbers() for each in self.loads],
        }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)

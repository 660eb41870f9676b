"""What an attack may cost, and the table of what each did."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from benchmarks.attack.measuring import GATEWAY, MODEL_SERVER, Outcome, Use

MODEL_SERVER_CPU_SECONDS, GATEWAY_CPU_SECONDS = 2.0, 0.25
"""Of one body of up to 20 MB."""
GATEWAY_MB = 400.0
MODEL_SERVER_GROWTH_MB = 800.0
"""A progressive JPEG of 50 megapixels has 300 MB of coefficients and 150 MB of pixels, beside 20 MB in some copies."""
BLOCKED_SECONDS = 0.05
NEIGHBOURS_RATIO = 1.5
_SLOWER = 3
_LATE = ("504", "DEADLINE_EXCEEDED")


@dataclass(frozen=True)
class Noise:
    """The service without any attack: the good clients' p99 in ms, its spread (a ratio), `/livez`, and memory.

    Without `judged_times`, as other work is done on a machine that nobody chose, waits are printed and not judged, and
    processor times may be `_SLOWER` times what they may be otherwise.
    """

    p99_ms: float
    spread: float
    waited: float
    model_server_mb: float
    judged_times: bool = True


def faults(outcome: Outcome, noise: Noise) -> list[str]:
    """Return what does not hold of an attack, each in a few words."""
    gateway, model_server = (outcome.use.get(name, Use()) for name in (GATEWAY, MODEL_SERVER))
    slower = 1 if noise.judged_times else _SLOWER
    checks = [
        (bool(_surprises(outcome, noise)), "responses: " + ", ".join(_shortly(outcome))),
        (gateway.cpu > slower * GATEWAY_CPU_SECONDS, f"gateway CPU {gateway.cpu:.2f} s"),
        (model_server.cpu > slower * MODEL_SERVER_CPU_SECONDS, f"model server CPU {model_server.cpu:.2f} s"),
        (gateway.peak_mb > GATEWAY_MB, f"gateway {gateway.peak_mb:.0f} MB"),
        (
            model_server.peak_mb - noise.model_server_mb > MODEL_SERVER_GROWTH_MB,
            f"model server {model_server.peak_mb:.0f} MB",
        ),
        (
            noise.judged_times and outcome.blocked > BLOCKED_SECONDS + noise.waited,
            f"blocked for {outcome.blocked * 1e3:.0f} ms",
        ),
        (outcome.lost > 0, f"{outcome.lost} good requests lost"),
        (slows_others(outcome, noise), f"p99 x {outcome.p99_ms / noise.p99_ms:.2f}"),
    ]
    return [text for wrong, text in checks if wrong]


def _surprises(outcome: Outcome, noise: Noise) -> list[str]:
    """Return the responses that are not right; without judged times a late one is right, too."""
    found = outcome.attack.surprises(outcome.responses)
    return [each for each in found if noise.judged_times or not each.startswith(_LATE)]


def slows_others(outcome: Outcome, noise: Noise) -> bool:
    """Whether the good clients waited longer beside an attack than they may, and than the machine's noise explains."""
    return noise.judged_times and outcome.p99_ms > NEIGHBOURS_RATIO * noise.spread * noise.p99_ms


def _shortly(outcome: Outcome) -> list[str]:
    return outcome.attack.surprises(outcome.responses)[:3]


def attack_table(outcomes: Sequence[Outcome], noise: Noise) -> Table:
    """Return a table with a row for each attack."""
    columns = (
        "attack",
        "response",
        "s",
        "CPU ms gateway",
        "model server",
        "MB gateway",
        "model server",
        "blocked ms",
        "p99 ratio",
        "lost",
        "",
    )
    table = Table(*columns, box=box.SIMPLE)
    for each in outcomes:
        gateway, model_server = (each.use.get(name, Use()) for name in (GATEWAY, MODEL_SERVER))
        table.add_row(
            each.attack.name,
            ", ".join(dict.fromkeys(each.responses))[:40],
            f"{each.seconds:.2f}",
            f"{gateway.cpu * 1e3:.0f}",
            f"{model_server.cpu * 1e3:.0f}",
            f"{gateway.peak_mb:.0f}",
            f"{model_server.peak_mb:.0f}",
            f"{each.blocked * 1e3:.0f}",
            f"{each.p99_ms / noise.p99_ms:.2f}" if each.beside else "-",
            str(each.lost),
            "; ".join(faults(each, noise)),
        )
    return table

"""The outages that are played, and what an operator has to hear of each.

The times are those that the runbook promises: how long the rule waits, until its windows are full enough, and two
minutes for scraping, evaluation and the gateway's poll.
"""

from benchmarks.outages.broken.gateways import blind, certificate, disk_full
from benchmarks.outages.broken.issuer import unreachable
from benchmarks.outages.broken.model_server import broken_version, hung, killed, nothing, slow
from benchmarks.outages.broken.overload import overload
from benchmarks.outages.clock import seconds
from benchmarks.outages.scenario import NUMBER, PAGE, TICKET, Allowed, Expected, Scenario

_BURN_TICKET = Allowed(
    "GraftAvailabilityBurn", TICKET, "the budget of days is spent; it stays until its window has passed", stays=True
)
_RESTARTING = Allowed(
    "GraftProbeFailing", PAGE, "the gateway that it asks is restarted, which takes minutes on the faster clock"
)
_DEADLINE_SECONDS = 10.0
"""Of a call to the model server, and of a probe: nobody knows before that a model server hangs."""


def _no_model(own_seconds: float) -> tuple[Expected, ...]:
    return (
        Expected("GraftNoModelReady", PAGE, "3m", ("the model",), own_seconds),
        Expected("GraftCircuitOpen", PAGE, "5m", ("the model",), own_seconds),
        Expected("GraftProbeFailing", PAGE, "5m", ("the model",), own_seconds),
        Expected("GraftAvailabilityBurn", PAGE, "10m", (NUMBER,), own_seconds),
        Expected("GraftModelServerDown", TICKET, "7m"),
    )


OUTAGES = (
    Scenario("killed", "the model server is killed", killed, _no_model(0)),
    Scenario("hung", "the model server hangs (SIGSTOP)", hung, _no_model(_DEADLINE_SECONDS)),
    Scenario(
        "slow",
        "the model server runs less than a quarter of the time",
        slow,
        (Expected("GraftLatencyBurn", PAGE, "22m", (NUMBER,)),),
        lasts="24m",
        share=0.4,  # what it can still serve
    ),
    Scenario(
        "blind",
        "one of two gateways reaches no model server",
        blind,
        (Expected("GraftModelNotReadyEverywhere", TICKET, "7m", ("the model", "the second gateway")),),
    ),
    Scenario(
        "issuer",
        "the token issuer cannot be reached",
        unreachable,
        (Expected("GraftTokensUnverifiable", PAGE, "10m", (NUMBER,)),),
        (_RESTARTING,),
    ),
    Scenario(
        "overload",
        "three times the capacity",
        overload,
        (
            Expected("GraftShedding", TICKET, "13m", (NUMBER,)),
            Expected("GraftAvailabilityBurn", PAGE, "8m", (NUMBER,)),
        ),
        (_BURN_TICKET, Allowed("GraftProbeFailing", PAGE, "the probe is shed as other callers are")),
        "16m",
    ),
    Scenario(
        "certificate-10-days",
        "the certificate of a gateway has ten days left",
        certificate(10),
        (Expected("GraftCredentialExpiresSoon", TICKET, "17m", ("the certificate", NUMBER)),),
        lasts="19m",
    ),
    Scenario(
        "certificate-1-day",
        "the certificate of a gateway has a day left",
        certificate(1),
        (Expected("GraftCredentialExpiresNow", PAGE, "17m", ("the certificate", NUMBER)),),
        lasts="19m",
    ),
    Scenario(
        "version",
        "the newest version does not load",
        broken_version,
        (Expected("GraftVersionSwapStuck", TICKET, "17m", ("the model", "the version")),),
        lasts="19m",
    ),
    Scenario(
        "disk",
        "the disk of the logs is full",
        disk_full,
        (Expected("GraftLogLinesDropped", TICKET, "3m", ("the first gateway", NUMBER)),),
    ),
)


def _longest() -> str:
    return max((each.lasts for each in OUTAGES), key=seconds)


SCENARIOS = (*OUTAGES, Scenario("nothing", "nothing is wrong, for as long", nothing, lasts=_longest()))


def scenarios_named(names: str) -> tuple[Scenario, ...]:
    """Return the scenarios with these names, separated by commas; all of them for an empty text.

    Raises:
        KeyError: there is no such scenario; its argument is the name.
    """
    by_name = {each.name: each for each in SCENARIOS}
    return tuple(by_name[name.strip()] for name in names.split(",")) if names else SCENARIOS

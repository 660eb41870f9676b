"""The outages that are played, and what an operator has to hear of each.

The times are those that the runbook promises: how long the rule waits, until its windows are full enough, and two
minutes for scraping, evaluation and the gateway's poll.
"""

from benchmarks.outages.clock import seconds
from benchmarks.outages.gateways import blind, certificate, disk_full
from benchmarks.outages.issuer import unreachable
from benchmarks.outages.model_server import broken_version, hung, killed, nothing, slow
from benchmarks.outages.overload import overload
from benchmarks.outages.scenario import NUMBER, PAGE, TICKET, Allowed, Expected, Scenario

_BUDGET_IS_SPENT = "the budget of days is spent; it stays until its window has passed"
_BURN_TICKET = Allowed("GraftAvailabilityBurn", TICKET, _BUDGET_IS_SPENT, stays=True)
_SLOW_TICKET = Allowed("GraftLatencyBurn", TICKET, _BUDGET_IS_SPENT, stays=True)
_CALL_SECONDS = 12.0
"""The deadline of a call to the model server, ten seconds, between two polls, which are a second apart."""

_NO_MODEL = (
    Expected("GraftNoModelReady", PAGE, "3m", ("the model",)),
    Expected("GraftCircuitOpen", PAGE, "5m", ("the model",)),
    Expected("GraftAvailabilityBurn", PAGE, "8m", (NUMBER,)),
    Expected("GraftProbeFailing", PAGE, "5m", ("the model",)),
    Expected("GraftModelServerDown", TICKET, "7m"),
)

OUTAGES = (
    Scenario("killed", "the model server is killed", killed, _NO_MODEL, (_BURN_TICKET,)),
    Scenario("hung", "the model server hangs (SIGSTOP)", hung, _NO_MODEL, (_BURN_TICKET,), "12m", _CALL_SECONDS),
    Scenario(
        "slow",
        "the model server runs a sixth of the time",
        slow,
        (Expected("GraftLatencyBurn", PAGE, "11m", (NUMBER,)),),
        (_SLOW_TICKET,),
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
        (Expected("GraftTokensUnverifiable", PAGE, "6m", (NUMBER,)),),
        (
            Allowed("GraftAvailabilityBurn", PAGE, "5 % of the requests have a token, and fail"),
            _BURN_TICKET,
        ),
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
        "the certificate has ten days left",
        certificate(10),
        (Expected("GraftCredentialExpiresSoon", TICKET, "17m", ("the certificate", NUMBER)),),
        lasts="19m",
    ),
    Scenario(
        "certificate-1-day",
        "the certificate has a day left",
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

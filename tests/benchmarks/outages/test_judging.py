"""Whether an outage holds: each way in which it may not is one sentence."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.outages.judging import faults, spoken, unscaled
from benchmarks.outages.report import Result, rows
from benchmarks.outages.scenario import NUMBER, PAGE, TICKET, Allowed, Expected, Fired, Played, Scenario

FACTOR = 30.0
FACTS = {"the model": "bench"}


def never(_: Any) -> Any:
    """Begin nothing: these scenarios are judged, not played."""
    raise NotImplementedError


SCENARIO = Scenario(
    "killed",
    "the model server is killed",
    never,
    (Expected("GraftNoModelReady", PAGE, "3m", ("the model",)),),
    (Allowed("GraftAvailabilityBurn", TICKET, "spent", stays=True),),
)


def fired(at: float = 5.0, ended: float | None = 40.0, **changes: Any) -> Fired:
    """Return the page of a model that is not ready, which fired in time and was over soon after the repair."""
    annotations = {
        "summary": "No version of the model bench is ready.",
        "description": "No gateway has seen one for a minute.",
        "runbook_url": "docs/runbook.md#graftnomodelready",
        "dashboard": "/d/graft-model",
    }
    annotations |= changes.pop("annotations", {})
    made = Fired("GraftNoModelReady", PAGE, {}, annotations, at, ended)
    return replace(made, **changes)


def said(*alerts: Fired, scenario: Scenario = SCENARIO, errors: tuple[str, ...] = ()) -> list[str]:
    """Return what does not hold where these alerts fired, and the repair was complete after 30 s."""
    return faults(scenario, Played(list(alerts), FACTS, 30.0, Counter(), errors), FACTOR)


def test_what_fires_in_time_with_its_text_and_ends_holds() -> None:
    """The last moment that is promised is in time, and the last one at which it may end."""
    assert said(fired(at=6.0, ended=120.0)) == []


def test_what_may_fire_may_stay() -> None:
    """A ticket about a budget that is spent stays after the repair, and does not have to fire."""
    ticket = fired(alert="GraftAvailabilityBurn", severity=TICKET, ended=None)
    assert said(fired(), ticket) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (list, "GraftNoModelReady (page) did not fire."),
        (lambda: [fired(at=6.1)], "GraftNoModelReady (page) fired after 3 m 3 s, later than 3 m."),
        (lambda: [fired(severity=TICKET)], "GraftNoModelReady (page) did not fire."),
        (
            lambda: [fired(), fired(alert="GraftDrift", severity=TICKET)],
            "GraftDrift (ticket) fired as well: No version of the model bench is ready.",
        ),
        (
            lambda: [fired(before=True)],
            "GraftNoModelReady (page) fired before anything was broken: No version of the model bench is ready.",
        ),
        (lambda: [fired(ended=None)], "GraftNoModelReady (page) had not ended within 45 m of the repair."),
        (lambda: [fired(ended=120.1)], "GraftNoModelReady (page) ended 45 m 3 s later, not within 45 m of the repair."),
        (lambda: [fired(annotations={"description": " "})], "GraftNoModelReady has no description."),
        (
            lambda: [fired(annotations={"summary": "The model m.", "description": "It is."})],
            "GraftNoModelReady does not name the model: The model m. It is.",
        ),
        (
            lambda: [fired(annotations={"summary": "The model bench.", "description": "Since <no value>."})],
            "GraftNoModelReady says <no value>: The model bench. Since <no value>.",
        ),
        (
            lambda: [fired(annotations={"summary": "bench", "description": "<error expanding template: x>"})],
            "GraftNoModelReady says <error expanding: bench <error expanding template: x>",
        ),
        (
            lambda: [fired(annotations={"runbook_url": "docs/runbook.md#nowhere"})],
            "GraftNoModelReady leads to docs/runbook.md#nowhere, which is not there.",
        ),
        (
            lambda: [fired(annotations={"dashboard": "/d/none"})],
            "GraftNoModelReady leads to the dashboard none, which is not there.",
        ),
    ],
)
def test_each_fault_is_a_sentence(change: Callable[[], list[Fired]], sentence: str) -> None:
    """Not at all, too late, as another severity, something else, too early, not over, and texts that do not help."""
    assert sentence in said(*change())


def test_a_number_has_to_be_in_the_text() -> None:
    """Where an operator needs to know how much."""
    scenario = replace(SCENARIO, must=(Expected("GraftNoModelReady", PAGE, "3m", (NUMBER,)),))
    assert len(said(fired(), scenario=scenario)) == 1
    assert said(fired(annotations={"description": "12 %."}), scenario=scenario) == []


def test_a_rule_that_cannot_be_computed_is_a_fault() -> None:
    """Prometheus says which, and why."""
    assert said(fired(), errors=("GraftDrift, many-to-many",)) == [
        "A rule cannot be computed: GraftDrift, many-to-many."
    ]


def test_the_services_own_seconds_count_once() -> None:
    """The deadline of a call takes as long on the faster clock; what is more is the rule's."""
    expected = replace(SCENARIO.must[0], own_seconds=10.0)
    assert unscaled(expected, 4.0, FACTOR) == 4.0
    assert unscaled(expected, 12.0, FACTOR) == 70.0
    scenario = replace(SCENARIO, must=(expected,))
    assert said(fired(at=15.0), scenario=scenario) == []
    assert len(said(fired(at=16.0), scenario=scenario)) == 1


@pytest.mark.parametrize(("length", "text"), [(45.2, "45 s"), (60.0, "1 m"), (90.0, "1 m 30 s"), (0.0, "0 s")])
def test_times_are_said_as_people_do(length: float, text: str) -> None:
    """Minutes and seconds."""
    assert spoken(length) == text


def test_a_row_says_all_of_it() -> None:
    """What fired, when, what was promised, what callers saw, and what else fired and why."""
    ticket = fired(alert="GraftAvailabilityBurn", severity=TICKET, ended=None)
    played = Played([fired(at=5.0, ended=40.0), ticket], FACTS, 30.0, Counter({503: 900, 200: 99, 0: 1}))
    (row,) = rows([Result(SCENARIO, played, FACTOR)])
    assert [" ".join(cell) for cell in row] == [
        "the model server is killed",
        "GraftNoModelReady",
        "page",
        "2 m 30 s",
        "3 m",
        "503: 90%, 200: 10%, no connection: under 1%",
        "5 m",
        "GraftAvailabilityBurn (ticket): spent",
        "yes",
    ]


def test_what_could_not_be_played_does_not_hold() -> None:
    """And says why."""
    result = Result(SCENARIO, None, FACTOR, "It could not be played: no disk.")
    assert result.faults == ["It could not be played: no disk."]
    (row,) = rows([result])
    assert row[-1] == ["no"]
    assert row[3] == ["-"]


def test_one_of_several_instances_is_named() -> None:
    """Where each gateway has an alert of its own, each names its own gateway."""
    others = fired(annotations={"summary": "Of the model trees.", "description": "It is."})
    assert said(others, fired()) == []

"""The table of outages in docs/runbook.md, and the list of what is played."""

import re
from pathlib import Path

import pytest

from benchmarks.outages.__main__ import read_options
from benchmarks.outages.clock import milliseconds
from benchmarks.outages.report import (
    BEGIN,
    COLUMNS,
    END,
    RUNBOOK,
    PageError,
    Result,
    markdown,
    with_table,
    write_into_runbook,
)
from benchmarks.outages.scenario import NamedAlert
from benchmarks.outages.scenarios import OUTAGES, SCENARIOS
from tests.deploy.prometheus_rules import alerts

KINDS = {(alert.name, alert.labels["severity"]) for alert in alerts()}


def table() -> list[list[str]]:
    """Return the cells of the runbook's table, without its head."""
    text = RUNBOOK.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()[2:]]


def test_the_runbook_has_a_row_for_each_outage() -> None:
    """In their order, with what has to fire and what is promised, and nothing that does not hold."""
    found = [row[:3] + row[4:5] for row in table()]
    wanted = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _unplayed().splitlines()[2:]]
    assert found == [row[:3] + row[4:5] for row in wanted]
    assert [row[0] for row in table() if len(row) != len(COLUMNS) or row[-1] != "yes"] == []


def test_the_runbooks_table_names_alerts_that_exist() -> None:
    """And none besides."""
    named = {name for row in table() for name in re.findall(r"Graft\w+", " ".join(row))}
    assert named - {alert.name for alert in alerts()} == set()
    assert len(named) > 8


def test_scenarios_name_alerts_that_exist() -> None:
    """Each alert that has to fire, or may, exists with this severity; a promise is a duration."""
    for scenario in SCENARIOS:
        named: tuple[NamedAlert, ...] = (*scenario.must, *scenario.may)
        assert {each.kind for each in named} - KINDS == set(), scenario.name
        assert all(milliseconds(each.within) <= milliseconds(scenario.lasts) for each in scenario.must), scenario.name


def test_every_outage_has_an_alert_and_nothing_has_none() -> None:
    """The scenario in which nothing is wrong lasts as long as the longest."""
    assert [each.name for each in OUTAGES if not each.must] == []
    (nothing,) = [each for each in SCENARIOS if not each.must]
    assert not nothing.may
    assert milliseconds(nothing.lasts) == max(milliseconds(each.lasts) for each in OUTAGES)


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    """What was there is replaced, and the rest of the page stays."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    write_into_runbook([Result(SCENARIOS[0], None, 30.0, "no disk")], page)
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    assert lines[4].endswith("|  |  |  | no |")


def test_a_page_without_markers_is_refused() -> None:
    """Nothing is written to where it does not belong."""
    with pytest.raises(PageError, match="The page has no lines <!-- outages -->"):
        with_table("a page\n", "a table\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "killed,flood"], "there is no outage 'flood'"),
        (["--factor", "0"], "0 is not from 1 to 60: scrapes would come too fast"),
        (["--factor", "nan"], "nan is not from 1 to 60: scrapes would come too fast"),
        (["--rate", "-1"], "-1 is not from 1 to 200 images a second"),
        (["--rate", "many"], "'many' is not a number"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit, match="2"):
        read_options(arguments)
    assert capsys.readouterr().err.splitlines()[-1].endswith(sentence)


def test_outages_are_played_in_the_order_given() -> None:
    """All of them unless some are named."""
    assert [each.name for each in read_options(["--only", "hung,killed"]).only] == ["hung", "killed"]
    assert read_options([]).only == SCENARIOS


def _unplayed() -> str:
    return markdown([Result(each, None, 30.0) for each in SCENARIOS])

"""The plan that docs/scaling.md shows: enough of everything, and the table that the script prints."""

import subprocess
import sys

import pytest

from benchmarks.scaling.table import Measured, measured_by, plan, plan_table, read_options
from tests.places import ROOT


@pytest.fixture
def measured() -> Measured:
    """What the defaults say of one process."""
    return measured_by(read_options([]))


def test_a_full_batch_and_one_image_take_what_was_measured(measured: Measured) -> None:
    """The straight line goes through both measurements, and the capacity is that of full batches."""
    assert measured.server.time_of(1) == pytest.approx(0.028)
    assert measured.server.time_of(8) == pytest.approx(0.111)
    assert measured.server.capacity == pytest.approx(8 / 0.111)


@pytest.mark.parametrize("rate", [10, 100, 1_000, 10_000])
def test_the_plan_survives_the_loss_of_what_is_spare(measured: Measured, rate: float) -> None:
    """With one process of each kind gone the others are at most as busy as wanted, and with one less they are not."""
    found = plan(rate, measured, load=0.6, spare=1)
    assert rate * measured.gateway_cpu / (found.gateways - 1) <= 0.6
    assert rate / (found.servers - 1) <= 0.6 * measured.server.capacity
    if found.servers > 2:
        assert rate / (found.servers - 2) > 0.6 * measured.server.capacity
    assert found.cores == found.gateways + 2 * found.servers


def test_cost_falls_with_the_rate_towards_what_the_work_takes(measured: Measured) -> None:
    """A prediction is cheaper at a higher rate, down to its own core time over the wanted load."""
    costs = [plan(rate, measured, 0.6, 1).core_hours_per_million for rate in (10, 100, 1_000, 10_000)]
    assert costs == sorted(costs, reverse=True)
    work = (measured.gateway_cpu + measured.server_cores / measured.server.capacity) / 0.6 * 1e6 / 3600
    assert work < costs[-1] < 1.05 * work


def test_a_price_is_asked_for_and_never_assumed(measured: Measured) -> None:
    """There is a column with a price only where the price of a core-hour is given."""
    without = read_options(["--rates", "100"])
    priced = read_options(["--rates", "100", "--price-per-core-hour", "0.5"])
    names, more = ([column.header for column in plan_table(measured, given).columns] for given in (without, priced))
    assert more == [*names, "price per million"]
    cells = [next(iter(column.cells)) for column in plan_table(measured, priced).columns]
    assert cells[-2:] == ["27.8", "13.89"]


@pytest.mark.parametrize(
    "arguments", [["--load", "1"], ["--alone-ms", "200"], ["--batch-ms", "500"]], ids=["load", "alone", "batch"]
)
def test_what_cannot_be_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Shares and times that no server has end the script with exit code 2 and a sentence."""
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_the_page_shows_what_the_script_prints() -> None:
    """Every row of both printed tables is in docs/scaling.md."""
    page = {" ".join(line.split()) for line in (ROOT / "docs" / "scaling.md").read_text().splitlines()}
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling.table"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    rows = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    assert len(rows) > 14
    missing = [row for row in rows if row not in page]
    assert missing == []

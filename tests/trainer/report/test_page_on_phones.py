"""The report of a run on a phone: its tables break no word."""

from typing import TYPE_CHECKING

import pytest

from tests.browser import PHONE, broken_words, opened_file, scroll_width
from tests.fakes.runs import make_report
from trainer.report.page import render_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FEW = ("daisy", "a night blooming cereus", "Donaudampfschifffahrtsgesellschaft")
MANY = tuple(f"Donaudampfschifffahrtsgesellschaft {number}" for number in range(30))


@pytest.mark.parametrize("names", [FEW, MANY], ids=["few", "many"])
def test_a_report_breaks_no_word_in_a_table_on_a_phone(browser: "Browser", names: tuple[str, ...]) -> None:
    """At 375 pixels, with everything unfolded, the page does not scroll sideways and its tables' words are whole."""
    report = make_report(names, baselines={"Linear probe on frozen features": 1.0})
    with opened_file(browser, render_report(report)) as page:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert page.locator("td").count() > 50
        assert broken_words(page) == []
        assert scroll_width(page) == PHONE["width"]

"""The report of a run, of an evaluation and of a folder on a phone: their tables break no word."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import PHONE, broken_words, opened_file, scroll_width
from tests.fakes.runs import make_report
from tests.trainer.inspection.made_up import made_up_inspection
from trainer.inspection.sheet import render_sheet
from trainer.report.evaluation_page import EvaluationPage, render_evaluation
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


def test_a_contact_sheet_breaks_no_word_in_a_table_on_a_phone(browser: "Browser", tmp_path: Path) -> None:
    """The name of a class is whole beside its counts."""
    with opened_file(browser, render_sheet(made_up_inspection("G\u00e4nsebl\u00fcmchen"), tmp_path)) as page:
        assert broken_words(page) == []
        assert scroll_width(page) == PHONE["width"]


def test_an_evaluation_shows_its_files_and_its_own_test_on_a_phone(browser: "Browser") -> None:
    """Both columns of numbers, and the labels beside the paths of files, are within the screen."""
    test = make_report(FEW[:2]).record.metrics["test"]
    shown = EvaluationPage(
        model="flowers",
        version=1,
        digest="sha256:0",
        folder="photos",
        labels=FEW[:2],
        metrics=test,
        own=test,
        own_on="test",
        verdict="That is not different.",
        notes=[],
        reliability=[],
        wrong=[("photos/valid/Rosen <rot>/IMG_0173.JPG", FEW[0], FEW[1], 0.5)],
        bad=[],
    )
    with opened_file(browser, render_evaluation(shown)) as page:
        for place in ("#results .scroll", "#mistakes .scroll"):
            assert page.eval_on_selector(place, "each => each.scrollWidth - each.clientWidth") <= 0
        assert page.inner_text("#mistakes tbody th") == "photos/valid/Rosen <rot>/IMG_0173.JPG"
        assert broken_words(page, "#results td, #results th, #mistakes td") == []

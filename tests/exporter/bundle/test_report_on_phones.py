"""The report of a mobile bundle on a phone: no word is broken."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.bundle.report import render_report
from exporter.tflite.records import MobileBundle
from tests.browser import PHONE, broken_words, cut_texts, low_contrasts, opened_file, scroll_width

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUNDLE = Path(__file__).parent.with_name("published_before") / "bundle.json"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mobile_report_breaks_no_word_on_a_phone(browser: "Browser", scheme: str) -> None:
    """At 375 pixels the page does not scroll sideways, its words are whole, and all of it can be read."""
    bundle = MobileBundle.model_validate_json(BUNDLE.read_text())
    with opened_file(browser, render_report(bundle), color_scheme=scheme) as page:
        assert page.locator("table").count() == 3
        assert broken_words(page, "body") == []
        assert cut_texts(page) == []
        assert scroll_width(page) == PHONE["width"]
        assert low_contrasts(page) == []

"""A real browser for pages: the system's Chromium, driven by Playwright. Where there is none, tests skip and say so."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 375, "height": 812}
_ARGUMENTS = (
    "--no-sandbox",  # containers run as root
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

_MEASURES = Path(__file__).with_name("browser_measures.js").read_text().rstrip().removesuffix(";")


@contextmanager
def launched() -> Iterator["Browser"]:
    """Run a browser without a window; skip the test where there is none.

    Open it for no longer than a module: while it runs, `asyncio.run` does not work in this thread.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"there is no browser here: none of {', '.join(NAMES)}")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def opened_file(browser: "Browser", html: str, **context: Any) -> Iterator["Page"]:
    """Show a page that is complete in itself, at the width of a phone unless `context` says otherwise."""
    opened: BrowserContext = browser.new_context(**{"viewport": PHONE, **context})
    page = opened.new_page()
    page.set_content(html)
    yield page
    opened.close()


def broken_words(page: "Page", places: str = "th, td") -> list[str]:
    """Return the words in the elements of a CSS selector that go over more than one line."""
    return list(page.evaluate(f"places => {_MEASURES}.brokenWords(places)", places))


def cut_texts(page: "Page") -> list[str]:
    """Return the texts of cells that are wider than their cell, and so run into the next one."""
    return list(page.evaluate(f"{_MEASURES}.cutTexts()"))


def scroll_width(page: "Page") -> int:
    """Return how wide the page is; more than the window's width has to be scrolled sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


def low_contrasts(page: "Page") -> list[str]:
    """Return the visible texts whose contrast with what is behind them is below the 4.5 of WCAG AA."""
    return list(page.evaluate(f"{_MEASURES}.lowContrasts()"))

"""A real browser for pages: Chromium of the system, driven by Playwright; where there is none, tests skip and say so."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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

_BROKEN_WORDS = r"""(places) => {
  const broken = [];
  for (const cell of document.querySelectorAll(places)) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      for (const word of text.data.matchAll(/[^\s\/-]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].filter(({ width }) => width).map(({ top }) => Math.round(top)));
        if (lines.size > 1 && getComputedStyle(text.parentElement).writingMode === "horizontal-tb") broken.push(word[0]);
      }
    }
  }
  return broken;
}"""

_CUT_TEXTS = r"""() => [...document.querySelectorAll("td, th")]
  .filter((cell) => cell.clientWidth && cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).overflowX === "visible")
  .map((cell) => cell.innerText)"""

_LOW_CONTRASTS = r"""() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const paperOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest("noscript, script")) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(paperOf(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push(`${texts.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


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
    return list(page.evaluate(_BROKEN_WORDS, places))


def cut_texts(page: "Page") -> list[str]:
    """Return the texts of cells that are wider than their cell, and so run into the next one."""
    return list(page.evaluate(_CUT_TEXTS))


def scroll_width(page: "Page") -> int:
    """Return how wide the page is; more than the window's width has to be scrolled sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


def low_contrasts(page: "Page") -> list[str]:
    """Return the visible texts whose contrast with what is behind them is below the 4.5 of WCAG AA."""
    return list(page.evaluate(_LOW_CONTRASTS))

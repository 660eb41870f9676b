"""A visit to the gateway's page in a browser, and what the browser noticed meanwhile."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.browser import PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
"""
_GIVE = """([kind, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.getElementById("drop").dispatchEvent(event);
}"""
_LOADED = "#models tr"


@dataclass
class Visit:
    """A page, the addresses that it requested, and its console with uncaught errors."""

    page: "Page"
    address: str
    requested: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def choose(self, content: bytes, name: str = "rose.jpg", kind: str = "image/jpeg") -> None:
        """Choose a file, as its dialog does."""
        self.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": content})

    def give(self, how: str, content: bytes, name: str = "rose.jpg", kind: str = "image/jpeg") -> None:
        """Drop or paste a file."""
        self.page.evaluate(_GIVE, [how, name, kind, base64.b64encode(content).decode()])

    def prediction(self) -> list[tuple[str, str]]:
        """Wait for a prediction; return its labels and percentages as they are shown, best first."""
        self.page.wait_for_selector("#result[aria-busy=false]:not([hidden])")
        rows = self.page.locator("#bars li")
        return [(row.locator("bdi").inner_text(), row.locator("span").inner_text()) for row in rows.all()]

    def version(self, name: str) -> None:
        """Wait for the prediction of a model and version, such as `flowers 2`."""
        self.page.wait_for_selector(f"#facts:has-text('{name}')")

    def problem(self) -> str:
        """Wait for an error; return what the page says of it."""
        self.page.wait_for_selector("#problem:not([hidden])")
        return self.page.inner_text("#problem")

    def strangers(self) -> list[str]:
        """Return what was requested from elsewhere."""
        own = (self.address, "blob:" + self.address, "data:image/svg+xml")
        return [each for each in self.requested if not each.startswith(own)]

    def violations(self) -> list[str]:
        """Return what the page's policy forbade."""
        return list(self.page.evaluate("violations"))


@contextmanager
def visiting(
    browser: "Browser", address: str, forward: "Callable[[Route], None] | None" = None, **context: Any
) -> Iterator[Visit]:
    """Open the page, on a phone unless `context` says otherwise; what its console says fails the test.

    `forward` gets all requests for what is below the address, as a proxy would.
    """
    opened = browser.new_context(**{"viewport": PHONE, **context})
    page = opened.new_page()
    page.set_default_timeout(10_000)
    visit = Visit(page, address)
    page.add_init_script(_WATCH)
    page.on("request", lambda request: visit.requested.append(request.url))
    page.on("console", lambda message: visit.console.append(message.text))
    page.on("filechooser", lambda _: None)  # so that no dialog is opened for real before a test waits for one
    page.on("pageerror", lambda error: visit.console.append(str(error)))
    if forward is not None:
        page.route(f"{address}**", forward)
    page.goto(address)
    page.wait_for_selector(f"{_LOADED}, #key-form:not([hidden])")
    yield visit
    assert visit.strangers() == []
    assert visit.violations() == []
    # the console has a line for each response that is not 2xx, which the page shows anyway
    assert [each for each in visit.console if not each.startswith("Failed to load resource")] == []
    opened.close()

"""The page before a gateway that requires a key, and behind a proxy that adds a prefix."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fakes.model_server import label_for
from tests.gateway.images import draw
from tests.gateway.page.conftest import Site
from tests.gateway.page.visit import visiting
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys
from tests.gateway.waiting import wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

IMAGE = draw(colour=10)
BEHIND = "behind/a proxy/"


def predicted_by(command: str, folder: Path, key: str) -> str:
    """Return the label that a command of the page gets for rose.jpg where KEY is the key."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    (folder / "rose.jpg").write_bytes(IMAGE)
    environment = {"PATH": os.environ["PATH"], "no_proxy": "*", "KEY": key}
    ended = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, check=True, timeout=60
    )
    return str(json.loads(ended.stdout)["predictions"][0]["label"])


def test_a_key_is_wanted_and_kept_by_the_tab_alone(browser: "Browser", site: Site, tmp_path: Path) -> None:
    """Without a key the page has a field for it; a wrong one is refused in words; the right one predicts, unseen."""
    keys = Keys(tmp_path / "keys.json")
    key = keys.add("predict")
    with running_gateway(model_server=site.model_server.address, api_keys_file=keys.path) as client:
        wait_until_ready(client)
        with visiting(browser, str(client.base_url) + "/") as visit:
            page = visit.page
            assert "missing_credentials" in visit.problem()
            assert page.evaluate("document.activeElement.id") == "key"
            page.keyboard.type("wrong")
            page.keyboard.press("Enter")
            page.wait_for_selector("#problem:has-text('invalid_credentials')")
            page.fill("#key", key)
            page.click("#key-form button")
            page.wait_for_selector("#models tr")
            visit.choose(IMAGE)
            assert visit.prediction()[0][0] == label_for(IMAGE)
            command = page.inner_text("#curl")
            assert predicted_by(command, tmp_path, key) == label_for(IMAGE)
            assert key not in page.content()
            assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
            page.reload()
            page.wait_for_selector("#models tr")  # without being asked again
            assert page.locator("#problem").is_hidden()


def test_the_page_works_behind_a_prefix(browser: "Browser", site: Site) -> None:
    """Behind a proxy that adds a prefix to all paths, every request of the page has it, and so has the command."""
    prefix = f"{site.address}{BEHIND}".replace(" ", "%20")

    def forward(route: "Route") -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace(prefix, site.address)))

    with visiting(browser, prefix, forward) as visit:
        visit.choose(IMAGE)
        assert visit.prediction()[0][0] == label_for(IMAGE)
        assert prefix in visit.page.inner_text("#curl")
        assert visit.page.get_by_role("link", name="API").evaluate("link => link.href") == f"{prefix}docs"
        card = visit.page.locator("#facts a").evaluate("link => link.href")
    assert httpx.URL(card).path.endswith("a proxy/v1/models/flowers/card")

"""A version's card on a phone: nothing is cut, and no word is broken."""

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser import PHONE, broken_words, cut_texts, low_contrasts, opened_file, scroll_width
from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.gateway.conftest import StartGateway
from tests.gateway.waiting import wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LABELS = ("dandelion", "a night blooming cereus", "Donaudampfschifffahrtsgesellschaft")
SCORES = {"images": 18, "precision": 0.8947, "recall": 1.0, "f1": 0.9}
TENSOR = {"dtype": "string", "shape": [None]}
OUTPUTS = {name: {"dtype": "float32", "shape": [None, 224, 224, 3]} for name in ("probabilities", "brightness")}
CHANGED = {
    "base_weights": {"source": "mobilenet_v2_1.0_224_no_top.coral_int8_dequant.h5", "digest": f"sha256:{'5a' * 32}"},
    "dataset_digest": f"sha256:{'b8' * 32}",
    "metrics": {"test": {"images": 54, "accuracy": 0.87, "accuracy_interval": [0.78, 0.92]}},
    "signatures": {"pixels_of_image": {"inputs": {"image_bytes": TENSOR}, "outputs": OUTPUTS}},
}


@pytest.fixture
def card(start_gateway: StartGateway, model_server: FakeModelServer) -> str:
    """The page of a version with long names and every table."""
    manifest = manifest_for("flowers", 2, LABELS).model_dump(mode="json") | CHANGED
    manifest["metrics"]["test"]["per_class"] = dict.fromkeys(LABELS, SCORES)
    content = httpx.Response(200, json=manifest).content
    model_server.publish("flowers", 2, LABELS, manifest=content)
    gateway = start_gateway()
    wait_until_ready(gateway)
    return gateway.get("/v1/models/flowers/card", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_breaks_no_word_on_a_phone(browser: "Browser", card: str, scheme: str) -> None:
    """At 375 pixels the page does not scroll sideways, its words are whole, and all of it can be read."""
    with opened_file(browser, card, color_scheme=scheme) as page:
        assert page.locator("table").count() == 2
        assert broken_words(page, "body") == []
        assert cut_texts(page) == []
        assert scroll_width(page) == PHONE["width"]
        assert low_contrasts(page) == []


def test_a_broken_word_is_seen(browser: "Browser") -> None:
    """The measure finds a word that does not fit, and text that is too pale."""
    narrow = (
        "<style>table { width: 60px; overflow-wrap: anywhere; color: #bbb }</style><table><tr><td>dandelion</table>"
    )
    with opened_file(browser, narrow) as page:
        assert broken_words(page) == ["dandelion"]
        assert low_contrasts(page) == ["dandelion: 1.92"]

"""What the gateway shows of its models: a card for programs and for people, and the description of its routes."""

from html.parser import HTMLParser

import httpx

from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.gateway.conftest import StartGateway
from tests.gateway.waiting import wait_until_ready

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Links(HTMLParser):
    """The places a page loads from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Keep what the tag loads."""
        self.tags.add(tag)
        self.found += [value for name, value in attributes if name in {"src", "href"} and value]


def test_a_card_is_the_manifest(gateway: httpx.Client) -> None:
    """A program gets the manifest of the latest version, or of the one it names, as JSON."""
    expected = manifest_for("flowers", 1).to_json()
    for path in ("/v1/models/flowers/card", "/v1/models/flowers/card?version=1"):
        response = gateway.get(path)
        assert response.headers["content-type"] == "application/json"
        assert response.text == expected


def test_a_browser_gets_a_page(gateway: httpx.Client) -> None:
    """A browser gets a page that names model, version and labels, and loads nothing from anywhere."""
    response = gateway.get("/v1/models/flowers/card", headers=BROWSER)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for word in ("flowers", "version 1", "daisy", "roses", "tulips"):
        assert word in response.text
    assert Links(response.text).found == []


def test_labels_are_escaped_on_the_page(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A label that looks like markup is text on the page."""
    model_server.publish("odd", 1, labels=("<script>alert(1)</script>", "b"))
    gateway = start_gateway(models=("odd",))
    wait_until_ready(gateway)
    page = gateway.get("/v1/models/odd/card", headers=BROWSER).text
    assert "script" not in Links(page).tags
    assert "&lt;script&gt;" in page


def test_a_card_that_is_not_there_is_a_refusal(gateway: httpx.Client) -> None:
    """Unknown models, versions and numbers are refused in the native protocol."""
    for path, status in (
        ("/v1/models/weeds/card", 404),
        ("/v1/models/flowers/card?version=9", 404),
        ("/v1/models/flowers/card?version=x", 400),
    ):
        response = gateway.get(path)
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


def test_the_documentation_needs_no_network(gateway: httpx.Client) -> None:
    """Everything that /docs loads comes from the gateway itself."""
    page = gateway.get("/docs")
    assert page.status_code == 200
    links = [link for link in Links(page.text).found if not link.startswith("data:")]
    assert len(links) >= 3
    for link in links:
        assert "://" not in link
        assert gateway.get(link if link.startswith("/") else f"/{link}").status_code == 200


def test_every_protocol_is_described(gateway: httpx.Client) -> None:
    """The description has the paths of all three protocols, and every reference in it leads somewhere."""
    description = gateway.get("/openapi.json").json()
    for path in ("/v1/predict", "/v1/models/{model}/predict", "/v2/models/{model}/infer", "/v1/models/{model}:predict"):
        assert path in description["paths"]
    text = gateway.get("/openapi.json").text
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in description["components"]["schemas"]

"""The page's files over HTTP: headers, caching, methods, and who gets them."""

import re
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import value
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys, bearer

FILES = {each.name: each.read_text() for each in files("gateway.page").joinpath("files").iterdir()}
ASSETS = sorted(FILES.keys() - {"index.html"})
PATHS = ["/", *(f"/page/{name}" for name in ASSETS)]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
REFERENCE = re.compile(r"""(?:src|href)=["']([^"'#]+)["']|from ["']\./([^"']+)["']""")


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_safe_and_cached(gateway: httpx.Client, path: str) -> None:
    """Each file has its type, a policy against whatever is not its own, and a tag that saves the next download."""
    response = gateway.get(path, headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    kind = {"css": "text/css", "js": "text/javascript"}.get(path.rpartition(".")[2], "text/html")
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"
    again = gateway.get(path, headers={**BROWSER, "If-None-Match": f'"other", W/{response.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", response.headers["etag"])
    assert gateway.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_only_reading_is_allowed(gateway: httpx.Client, path: str) -> None:
    """HEAD has the headers of GET, and any other method is 405."""
    got, head = gateway.get(path), gateway.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert head.headers["content-length"] == str(len(got.content))
    refused = gateway.post(path, content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_everything_that_a_file_refers_to_is_there() -> None:
    """No file refers to another host or to a file that is missing, by an absolute path, or by markup from text."""
    for name, text in FILES.items():
        assert not re.search(
            r"https?://(?!www\.w3\.org)|innerHTML|insertAdjacentHTML|\beval\(|style=|<script>|\son\w+=", text
        ), name
        targets = [first or second for first, second in REFERENCE.findall(text)]
        assert {each.removeprefix("page/") for each in targets if not each.startswith("data:")} <= {*FILES, "docs"}, (
            name
        )


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json, text/plain, */*", "text/*;q=0.5"])
def test_whoever_accepts_html_gets_the_page(gateway: httpx.Client, accept: str) -> None:
    """A browser and curl get the page, and caches know that it depends on what is accepted."""
    response = gateway.get("/", headers={"Accept": accept})
    assert "<!doctype html>" in response.text
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    "path", ["/", "/page", "/page/", "/page/index.html", "/page/nothing.js", "/page/../app.py", "/page/%2e%2e%2fapp.py"]
)
def test_nothing_else_is_there(gateway: httpx.Client, path: str) -> None:
    """For a program that wants JSON, and under any other name, there is nothing, as it is for any unknown path."""
    response = gateway.get(path, headers={"Accept": "application/json"})
    assert (response.status_code, response.json()["code"]) == (404, "no_such_path")


def test_the_page_needs_no_key_and_tells_nothing_without_one(tmp_path: Path) -> None:
    """With keys the page is open, and what is not there is 401 as any unknown path; with a key it is 404."""
    keys = Keys(tmp_path / "keys.json")
    key = keys.add("predict")
    with running_gateway(api_keys_file=keys.path) as client:
        assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)
        for path, accept in (("/page/nothing.js", "*/*"), ("/", "application/json")):
            assert client.get(path, headers={"Accept": accept}).status_code == 401
            assert client.get(path, headers={"Accept": accept, **bearer(key)}).status_code == 404


def test_the_page_can_be_switched_off() -> None:
    """With the setting off there is no page and none of its files."""
    with running_gateway(page=False) as client:
        assert [client.get(path).status_code for path in PATHS] == [404] * len(PATHS)


def test_its_requests_are_counted_under_two_routes(start_gateway: StartGateway) -> None:
    """In metrics the page is `/`, and all of its files are one route, whatever is asked for."""
    gateway = start_gateway()
    for path in (*PATHS, "/page/nothing.js"):
        gateway.get(path)
    count = "requests_total"
    assert value(gateway, count, route="/", outcome="ok") == 1
    assert value(gateway, count, route="/page/{file}", outcome="ok") == len(ASSETS)
    assert value(gateway, count, route="/page/{file}", outcome="no_such_path") == 1


def test_the_list_of_models_says_what_a_request_may_have(start_gateway: StartGateway) -> None:
    """`GET /v1/models` has the limits that the page warns of."""
    listed = start_gateway(max_body_bytes=1000, max_images=3).get("/v1/models").json()
    assert (listed["max_body_bytes"], listed["max_images"]) == (1000, 3)

"""Requests that cannot be understood are refused in one sentence, as problems."""

from typing import Any

import httpx
import pytest

from tests.fakes.model_server import label_for
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until_ready

FORM = "application/x-www-form-urlencoded"


def assert_problem(reply: httpx.Response, status: int, code: str, *parts: str) -> None:
    """Assert that an answer is a problem of this status and code, with these parts in its one sentence."""
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["code"] == code
    assert isinstance(problem["detail"], str)
    assert problem["detail"].endswith(".")
    assert [part for part in parts if part not in problem["detail"]] == []


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("top_k=0", ("top_k", "'0'")),
        ("top_k=-3", ("top_k", "'-3'")),
        ("top_k=many", ("top_k", "'many'")),
        ("version=abc", ("version", "'abc'")),
        ("version=0", ("version", "'0'")),
        (f"version={2**63}", ("version", str(2**63))),
        ("version=", ("version", "''")),
        ("version=1_000", ("version", "'1_000'")),
        ("version=%205", ("version", "' 5'")),
        ("label=", ("label", "''")),
        ("label=stable&version=1", ("label", "version", "mutually exclusive")),
    ],
)
def test_a_bad_query_parameter_is_named(gateway: httpx.Client, query: str, parts: tuple[str, ...]) -> None:
    """A query parameter that cannot be used is refused with 400, its name and what it was."""
    assert_problem(gateway.post(f"/v1/predict?{query}", content=draw()), 400, "bad_parameter", *parts)


@pytest.mark.parametrize("page", ["card", "drift"])
@pytest.mark.parametrize(("version", "shown"), [("abc", "'abc'"), ("0", "'0'"), ("5.0", "'5.0'"), ("", "''")])
def test_the_framework_reads_parameters_in_our_words(
    gateway: httpx.Client, page: str, version: str, shown: str
) -> None:
    """Where FastAPI reads a parameter, one that cannot be used is the same problem, with no 422 of its own."""
    response = gateway.get(f"/v1/models/flowers/{page}", params={"version": version})
    assert_problem(response, 400, "bad_parameter", f"The query parameter version cannot be {shown}; send a whole")


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/v1/models/flowers/card", "/v2/models/flowers", "/docs"])
def test_where_there_is_get_there_is_head(gateway: httpx.Client, path: str) -> None:
    """HEAD gets the status and headers of GET without the body; a 405 names both."""
    response = gateway.head(path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == gateway.get(path).headers["content-length"]
    refused = gateway.delete(path) if not path.startswith("/v1/models/") else gateway.delete("/livez")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_an_unknown_model_names_those_there_are(start_gateway: StartGateway) -> None:
    """A model that is not configured is refused with 404 and the names of those that are."""
    gateway = start_gateway(models=("flowers", "dogs"))
    reply = gateway.post("/v1/predict?model=cats", content=draw())
    assert_problem(reply, 404, "unknown_model", "'cats'", "flowers", "dogs")


def test_a_version_that_is_not_served_is_refused(gateway: httpx.Client) -> None:
    """A version that the model server does not serve is refused with 404 and its number."""
    assert_problem(gateway.post("/v1/predict?version=9", content=draw()), 404, "version_not_served", "9", "flowers")


@pytest.mark.parametrize("content_type", ["text/plain", "x"])
def test_a_body_of_another_type_is_refused(gateway: httpx.Client, content_type: str) -> None:
    """A content type that is neither an image nor a form is refused with 415 and said back."""
    reply = gateway.post("/v1/predict", content=draw(), headers={"Content-Type": content_type})
    assert_problem(reply, 415, "unsupported_content_type", content_type)


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "BMP", "WEBP"])
def test_an_image_that_curl_calls_a_form_is_predicted(gateway: httpx.Client, encoding: str) -> None:
    """What `curl --data-binary @FILE` sends is taken by its content: an image of any accepted kind is predicted."""
    image = draw(encoding)
    reply = gateway.post("/v1/predict", content=image, headers={"Content-Type": FORM})
    assert reply.json()["predictions"][0]["label"] == label_for(image)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "unsupported_content_type"),
        (b"file=rose.jpg&comment=%ff%d8%ff", 415, "unsupported_content_type"),
        (b'{"images": [{"b64": "AAAA"}]}', 415, "unsupported_content_type"),
        (b"%PDF-1.7 is not an image", 415, "unsupported_content_type"),
        (draw("GIF"), 415, "unsupported_image"),
        (draw()[:-2], 422, "truncated_image"),
    ],
)
def test_a_form_that_is_no_image_is_refused(gateway: httpx.Client, content: bytes, status: int, code: str) -> None:
    """Anything else of that type is refused with 415 and what to do, and a bad image for what is wrong with it."""
    reply = gateway.post("/v1/predict", content=content, headers={"Content-Type": f"{FORM}; charset=utf-8"})
    assert_problem(reply, status, code)
    if code == "unsupported_content_type":
        assert_problem(reply, status, code, "not an image", "content-type")


def test_a_form_without_files_is_refused(gateway: httpx.Client) -> None:
    """A form that has fields only is refused with 400."""
    reply = gateway.post("/v1/predict", files={"comment": (None, "no file")})
    assert_problem(reply, 400, "no_image")


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b"anything"),
        ("multipart/form-data; boundary=x", b"no boundary in here"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\ncut off'),
        ("multipart/form-data; boundary=x", b""),
    ],
)
def test_a_malformed_form_is_refused(gateway: httpx.Client, content_type: str, content: bytes) -> None:
    """A form without a boundary, without structure or without an end is refused with 400."""
    reply = gateway.post("/v1/predict", content=content, headers={"Content-Type": content_type})
    assert_problem(reply, 400, "bad_form")


def test_too_many_images_are_refused(start_gateway: StartGateway) -> None:
    """One image more than max_images is refused with 413; exactly as many are answered."""
    gateway = start_gateway(max_images=3)
    wait_until_ready(gateway)
    files = [("file", (f"{number}.jpg", draw())) for number in range(4)]
    assert_problem(gateway.post("/v1/predict", files=files), 413, "too_many_images", "3")
    assert gateway.post("/v1/predict", files=files[:3]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "no_such_path"),
        ("POST", "/v1/predict/", 404, "no_such_path"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
        ("DELETE", "/livez", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_and_methods_are_problems(
    gateway: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    """A path or method that is not there is refused as a problem, too."""
    assert_problem(gateway.request(method, path), status, code, path)


def test_a_refused_method_names_those_there_are(gateway: httpx.Client) -> None:
    """A 405 says in its Allow header what would be possible."""
    assert gateway.get("/v1/predict").headers["allow"] == "POST"


def test_the_framework_never_answers_for_us(gateway: httpx.Client) -> None:
    """No refusal has the framework's own shape, whose detail is a list or whose only member it is."""
    attempts: list[dict[str, Any]] = [
        {"method": "POST", "url": "/v1/predict", "params": {"top_k": "x", "version": "y"}},
        {"method": "POST", "url": "/v1/predict", "content": b"{", "headers": {"Content-Type": "application/json"}},
        {"method": "PUT", "url": "/v1/models"},
        {"method": "GET", "url": "/", "headers": {"Accept": "application/json"}},
    ]
    for attempt in attempts:
        problem = gateway.request(**attempt).json()
        assert problem["type"].startswith("urn:problem-type:graft:")
        assert isinstance(problem["detail"], str)


LONG = "k" * 1_000_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/flowers:predict", {"instances": [{LONG: 0}]}),
        ("/v1/models/flowers:classify", {"examples": [{LONG: None}]}),
        ("/v1/models/flowers:predict", {"signature_name": LONG, "instances": ["a"]}),
        (
            "/v2/models/flowers/infer",
            {"id": LONG, "inputs": [{"name": "image_bytes", "shape": [1], "datatype": "BYTES", "data": ["a"]}]},
        ),
        ("/v2/models/flowers/infer", {"inputs": [{"name": LONG, "shape": [1], "datatype": LONG, "data": ["a"]}]}),
        ("/v1/predict", {"images": [{"b64": "!", "name": LONG}, {"b64": "?", "name": LONG}]}),
        ("/v1/predict", {LONG: LONG}),
    ],
)
def test_little_of_what_was_sent_comes_back(gateway: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """A megabyte in a name or an id is not repeated: responses to slow readers would fill the memory."""
    reply = gateway.post(path, json=body)
    assert reply.status_code in {200, 400}
    assert b"error" in reply.content or b"detail" in reply.content
    assert len(reply.content) < 5000

"""API keys: who may ask what, and how keys come and go while the gateway runs."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from gateway.errors import InvalidCredentialsError
from gateway.security.api_keys import KEY_PREFIX, Keyring, read_keys
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import HOUR, Keys, bearer, public_id
from tests.gateway.waiting import wait_until, wait_until_ready

IMAGE = {"Content-Type": "image/jpeg"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A keys file of the test's own; it has no keys and so does not exist yet."""
    return Keys(tmp_path / "keys.json")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway that wants a key which nobody has."""
    keys = Keys(tmp_path_factory.mktemp("keys") / "keys.json")
    keys.add()
    with running_gateway(api_keys_file=keys.path) as client:
        yield client


def status(gateway: httpx.Client, path: str, headers: dict[str, str] | None = None) -> int:
    """Return the status of a GET."""
    return gateway.get(path, headers=headers).status_code


def test_a_key_opens_in_either_header(start_gateway: StartGateway, keys: Keys) -> None:
    """A key is taken from Authorization: Bearer, in any case, and from X-API-Key."""
    key = keys.add()
    gateway = start_gateway(api_keys_file=keys.path)
    wait_until_ready(gateway)
    for headers in (bearer(key), {"Authorization": f"bearer {key}"}, {"X-API-Key": key}):
        response = gateway.post("/v1/predict", content=draw(), headers={**IMAGE, **headers})
        assert response.status_code == 200


def test_x_api_key_wins(start_gateway: StartGateway, keys: Keys) -> None:
    """A key in X-API-Key counts even where a proxy uses Authorization for itself."""
    key = keys.add()
    gateway = start_gateway(api_keys_file=keys.path)
    assert status(gateway, "/v1/models", {"X-API-Key": key, "Authorization": "Basic cHJveHk6eA=="}) == 200
    assert status(gateway, "/v1/models", {"X-API-Key": "wrong", **bearer(key)}) == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}])
def test_without_a_key_nothing_is_told(locked: httpx.Client, headers: dict[str, str]) -> None:
    """Without credentials every guarded path, one that is not there included, is a 401 that says what to send."""
    for path in ("/v1/models", "/metrics", "/v2/models/flowers/ready", "/nothing", "/livez/", "//metrics"):
        response = locked.get(path, headers={"Accept": "application/json", **headers})  # or // would be the page
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="graft"'
        assert "X-API-Key" in response.text


@pytest.mark.parametrize("protocol_path", ["/v2/models/flowers/infer", "/v1/models/flowers:predict"])
def test_a_refusal_speaks_the_protocol_of_its_path(locked: httpx.Client, protocol_path: str) -> None:
    """A 401 has the shape of an error that the path's clients expect, and the request's id."""
    other = locked.post(protocol_path, json={})
    assert (other.status_code, list(other.json())) == (401, ["error"])
    native = locked.post("/v1/predict", content=draw(), headers=IMAGE)
    assert native.headers["content-type"] == "application/problem+json"
    assert native.json()["code"] == "missing_credentials"
    assert native.json()["request_id"] == native.headers["x-request-id"]


def test_a_large_upload_without_a_key_receives_its_refusal(locked: httpx.Client) -> None:
    """A caller who sends ten megabytes before it reads gets the 401 and no broken connection."""
    response = locked.post("/v1/predict", content=bytes(10_000_000), headers=IMAGE)
    assert response.status_code == 401


def test_health_is_open(locked: httpx.Client) -> None:
    """Health in both protocols needs no key, so that whatever watches the process needs none."""
    assert [status(locked, path) for path in ("/livez", "/readyz")] == [200, 503]
    assert [status(locked, f"/v2/health/{name}") == 401 for name in ("live", "ready")] == [False, False]


@pytest.mark.parametrize(("permission", "models", "metrics"), [("predict", 200, 403), ("operate", 403, 200)])
def test_neither_scope_includes_the_other(
    start_gateway: StartGateway, keys: Keys, permission: str, models: int, metrics: int
) -> None:
    """Models and predictions need the scope predict, the metrics need operate; a key may have both."""
    narrow, wide = keys.add(permission), keys.add("predict", "operate")
    gateway = start_gateway(api_keys_file=keys.path)
    assert status(gateway, "/v1/models", bearer(narrow)) == models
    assert status(gateway, "/metrics", bearer(narrow)) == metrics
    assert [status(gateway, path, bearer(wide)) for path in ("/v1/models", "/metrics")] == [200, 200]
    refused = gateway.get("/metrics" if metrics == 403 else "/v1/models", headers=bearer(narrow))
    assert refused.json()["code"] == "forbidden"
    assert "insufficient_scope" in refused.headers["www-authenticate"]


def test_a_key_is_rotated_without_a_restart(start_gateway: StartGateway, keys: Keys) -> None:
    """Two keys of one name are valid side by side; the old one is refused within seconds of being revoked."""
    old = keys.add(name="app")
    gateway = start_gateway(api_keys_file=keys.path)
    new = keys.add(name="app")
    wait_until(lambda: status(gateway, "/v1/models", bearer(new)) == 200, 5)
    assert status(gateway, "/v1/models", bearer(old)) == 200
    keys.revoke(old)
    wait_until(lambda: status(gateway, "/v1/models", bearer(old)) == 401, 5)
    assert "revoked" in gateway.get("/v1/models", headers=bearer(old)).json()["detail"]
    assert status(gateway, "/v1/models", bearer(new)) == 200


def test_a_broken_file_keeps_the_old_keys(
    start_gateway: StartGateway, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    """While the file is broken the last good keys stay in force, one line is logged, and a good file ends it."""
    old = keys.add()
    gateway = start_gateway(api_keys_file=keys.path)
    keys.write("{")
    with caplog.at_level(logging.INFO, "gateway.security.watched_file"):
        wait_until(lambda: status(gateway, "/v1/models", bearer(old)) == 200 and bool(caplog.records), 5)
        until = time.monotonic() + 1.2  # so that a second look, which has nothing new to tell, takes place
        wait_until(lambda: status(gateway, "/v1/models", bearer(old)) == 200 and time.monotonic() > until, 5)
    [record] = caplog.records
    assert str(keys.path) in record.getMessage()
    new = keys.add()
    wait_until(lambda: status(gateway, "/v1/models", bearer(new)) == 200, 5)


def test_a_key_ends_when_it_expires(keys: Keys) -> None:
    """A key is good up to the second at which it expires, without any look at the file."""
    expires = datetime.now(UTC) + HOUR
    key = keys.add(expires=expires).encode()
    ring = Keyring(keys.path)
    assert ring.caller_of(key, expires.timestamp() - 0.001).id == public_id(key.decode())
    with pytest.raises(InvalidCredentialsError, match="expired"):
        ring.caller_of(key, expires.timestamp())


def test_only_the_whole_key_counts(keys: Keys) -> None:
    """A key with another end, another id, cut short or longer is not known, and is not shown in the sentence."""
    key, other = keys.add(), keys.add()
    ring = Keyring(keys.path)
    secret = key.split("_", 2)[2]
    wrong = [
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        f"{KEY_PREFIX}{public_id(other)}_{secret}",
        key[:-1],
        key + "x",
    ]
    for each in [*wrong, KEY_PREFIX + public_id(key), "", "graft_", "ü" * 50]:
        with pytest.raises(InvalidCredentialsError, match=r"^The API key is unknown\.$"):
            ring.caller_of(each.encode(), time.time())
    assert ring.caller_of(key.encode(), time.time()).id == public_id(key)


def test_a_revoked_key_is_told_so_only_to_its_holder(keys: Keys) -> None:
    """Someone who knows a key's public id learns nothing about it."""
    key = keys.add()
    keys.revoke(key)
    ring = Keyring(keys.path)
    with pytest.raises(InvalidCredentialsError, match="revoked"):
        ring.caller_of(key.encode(), time.time())
    with pytest.raises(InvalidCredentialsError, match="unknown"):
        ring.caller_of(f"{KEY_PREFIX}{public_id(key)}_guess".encode(), time.time())


def test_the_file_holds_no_key(keys: Keys) -> None:
    """Nothing of a key but its public id stands in the file, and no two keys are alike."""
    made = [keys.add() for _ in range(20)]
    content = keys.path.read_text()
    assert len({key.split("_", 2)[2] for key in made}) == len(made) == len(read_keys(keys.path).keys)
    for key in made:
        assert public_id(key) in content
        secret = key.split("_", 2)[2]
        assert len(secret) == 43  # 256 bits in base64
        assert secret not in content

"""What is known of models and credentials, as gauges that go when it goes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest

from gateway.observability.metric_labels import MAX_CHARACTERS
from tests.fakes.model_server import FakeModelServer, manifest_for
from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import read_metrics, value
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import HOUR, Keys, bearer, public_id
from tests.gateway.security.certificates import DAY, Authority
from tests.gateway.waiting import wait_until


def labels_of(gateway: httpx.Client, name: str) -> list[dict[str, str]]:
    """Return the labels of each series of a name."""
    return [dict(labels) for each, labels in read_metrics(gateway) if each == f"graft_gateway_{name}"]


def test_a_model_is_described(own_gateway: httpx.Client) -> None:
    """A version that is served has a series with what it is: digest, architecture and the run that made it."""
    manifest = manifest_for("flowers", 1)
    expected = {
        "model": "flowers",
        "version": "1",
        "digest": manifest.digest[:MAX_CHARACTERS],
        "architecture": manifest.architecture,
        "lineage_id": manifest.run,
    }
    assert labels_of(own_gateway, "model_info") == [expected]
    assert value(own_gateway, "model_info", **expected) == 1
    assert value(own_gateway, "model_ready", model="flowers") == 1


def test_a_swap_can_be_followed(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """The newest and the served version part while a version loads, and series of versions that are gone disappear."""
    model_server.publish("flowers", 2, state="LOADING")
    wait_until(lambda: value(own_gateway, "model_newest_version", model="flowers") == 2)
    assert value(own_gateway, "model_served_version", model="flowers") == 1
    states = {state: value(own_gateway, "model_versions", model="flowers", state=state) for state in ("LOADING", "END")}
    assert states == {"LOADING": 1, "END": 0}
    model_server.publish("flowers", 2)
    model_server.withdraw("flowers", 1)
    wait_until(lambda: value(own_gateway, "model_served_version", model="flowers") == 2)
    wait_until(lambda: [each["version"] for each in labels_of(own_gateway, "model_info")] == ["2"])
    assert value(own_gateway, "model_versions", model="flowers", state="END") == 1


def test_a_version_that_failed_to_load_stays_the_newest(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """A version that ended with an error is still the newest, so that the swap is seen to be stuck; else it is not."""
    model_server.publish("flowers", 2, state="LOADING")
    wait_until(lambda: value(own_gateway, "model_newest_version", model="flowers") == 2)
    model_server.withdraw("flowers", 2, failed=True)
    wait_until(lambda: value(own_gateway, "model_versions", model="flowers", state="END") == 1)
    assert value(own_gateway, "model_newest_version", model="flowers") == 2
    model_server.withdraw("flowers", 2)
    wait_until(lambda: value(own_gateway, "model_newest_version", model="flowers") == 1)


def test_a_model_that_is_gone_has_no_versions(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A model of which nothing is known is not ready, and has neither a newest nor a served version."""
    model_server.refuse("GetModelStatus", grpc.StatusCode.UNAVAILABLE)
    wait_until(lambda: value(own_gateway, "model_ready", model="flowers") == 0)
    assert labels_of(own_gateway, "model_ready") == [{"model": "flowers"}]
    assert not labels_of(own_gateway, "model_newest_version")
    assert not labels_of(own_gateway, "model_served_version")
    assert not labels_of(own_gateway, "model_info")


def test_nothing_served_is_version_0(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """While a version is known and none is served, the served version is 0."""
    model_server.withdraw("flowers", 1)
    model_server.publish("flowers", 7, state="LOADING")
    gateway = start_gateway()
    wait_until(lambda: value(gateway, "model_newest_version", model="flowers") == 7)
    assert labels_of(gateway, "model_served_version") == [{"model": "flowers"}]
    assert value(gateway, "model_served_version", model="flowers") == 0


def test_circuits_are_closed_from_the_start(own_gateway: httpx.Client) -> None:
    """Each model's circuit has a series before anything failed."""
    assert labels_of(own_gateway, "circuit_state") == [{"model": "flowers"}]


def test_keys_tell_when_they_end(start_gateway: StartGateway, tmp_path: Path) -> None:
    """A key in force that ends has a series by its public id, which goes when it is revoked, as the file changes."""
    keys, now = Keys(tmp_path / "keys.json"), datetime.now(UTC)
    operator, ends = keys.add("operate"), now + 30 * HOUR
    ending, ended = keys.add(expires=ends), keys.add(expires=now - HOUR)
    gateway = start_gateway(api_keys_file=keys.path)
    gateway.headers.update(bearer(operator))
    assert labels_of(gateway, "credential_expiry_timestamp_seconds") == [{"kind": "api_key", "name": public_id(ending)}]
    assert value(gateway, "credential_expiry_timestamp_seconds") == pytest.approx(ends.timestamp(), abs=1)
    keys.revoke(ending)
    wait_until(lambda: not labels_of(gateway, "credential_expiry_timestamp_seconds"))
    assert ended not in gateway.get("/metrics").text


def test_the_keys_that_end_next_are_shown(start_gateway: StartGateway, tmp_path: Path) -> None:
    """Of many keys the hundred that end next have a series."""
    keys, now = Keys(tmp_path / "keys.json"), datetime.now(UTC)
    made = [keys.add(expires=now + number * HOUR) for number in range(120, 0, -1)]
    operator = keys.add("operate")
    gateway = start_gateway(api_keys_file=keys.path)
    gateway.headers.update(bearer(operator))
    shown = {each["name"] for each in labels_of(gateway, "credential_expiry_timestamp_seconds")}
    assert shown == {public_id(key) for key in made[20:]}


def test_certificates_tell_when_they_end(tmp_path: Path) -> None:
    """Each certificate that the gateway has read has a series by its setting, with its end."""
    authority = Authority(tmp_path, ends=9 * DAY)
    ours, client = authority.vouch("gateway", ends=3 * DAY), authority.vouch("client", ends=5 * DAY)
    files = {
        "tls_certificate": ours.certificate,
        "tls_key": ours.key,
        "model_server_ca": authority.certificate,
        "model_server_certificate": client.certificate,
        "model_server_key": client.key,
    }
    now = datetime.now(UTC)
    with running_gateway(**files) as gateway:
        for name, ends in (("tls_certificate", 3), ("model_server_certificate", 5), ("model_server_ca", 9)):
            seen = value(gateway, "credential_expiry_timestamp_seconds", kind="certificate", name=name)
            assert abs(seen - (now + timedelta(days=ends)).timestamp()) < 60

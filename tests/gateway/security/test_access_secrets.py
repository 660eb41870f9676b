"""Keys and tokens appear nowhere: not in logs, not in metrics, not in errors."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys, bearer, public_id
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer


def requests_with(gateway: httpx.Client, credentials: str) -> list[httpx.Response]:
    """Present credentials wherever one could, rightly and wrongly; return all answers."""
    responses = [
        gateway.request(method, path, headers=headers, content=b"no image")
        for headers in (bearer(credentials), {"X-API-Key": credentials}, {"Authorization": credentials})
        for method, path in (
            ("GET", "/v1/models"),
            ("GET", "/metrics"),
            ("POST", "/v1/predict"),
            ("POST", "/v1/models/flowers:predict"),
            ("POST", "/v2/models/flowers/infer"),
            ("DELETE", "/v1/models"),
            ("GET", "/nothing"),
        )
    ]
    responses += [gateway.get("/v1/models", headers=bearer(credentials + tail)) for tail in ("x", ".a.b", " x")]
    return responses


def test_no_credential_is_repeated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Good, limited, expired and broken keys and tokens are in no answer, no metric and no line of the log."""
    keys, issuer = Keys(tmp_path / "keys.json"), Issuer()
    issuer.add_key("first")
    good, limited, revoked = keys.add("predict", "operate"), keys.add(rate_per_second=0.01), keys.add()
    keys.revoke(revoked)
    presented = [good, limited, revoked, "graft_00000000_CANARY", issuer.token(), issuer.token(exp=1)]
    tokens = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": str(issuer.write(tmp_path / "jwks.json"))}
    with caplog.at_level(logging.DEBUG), running_gateway(api_keys_file=keys.path, **tokens) as gateway:
        caplog.clear()
        responses = [response for each in presented for response in requests_with(gateway, each)]
        shown = [response.text + str(response.headers.raw) for response in responses]
        shown.append(gateway.get("/metrics", headers=bearer(good)).text)
        assert {200, 401, 403, 429} <= {response.status_code for response in responses}
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
    everything = "\n".join([*shown, *logged])
    for credentials in presented:
        secret = credentials.split("_", 2)[-1] if credentials.startswith("graft_") else credentials.split(".")[2]
        assert secret not in everything
        assert credentials[:40] not in everything


def test_the_process_keeps_its_keys_to_itself(tmp_path: Path) -> None:
    """A gateway process that refuses, and reads a broken keys file, prints neither a key nor a hash."""
    keys = Keys(tmp_path / "keys.json")
    key = keys.add()
    [stored] = keys.stored
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--port", "0"]
    environment = {**os.environ, "GATEWAY_API_KEYS_FILE": str(keys.path), "GATEWAY_MODEL_SERVER": "127.0.0.1:1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert client.get("/v1/models", headers=bearer(key)).status_code == 200
            assert client.get("/v1/models", headers=bearer(key[:-1])).status_code == 401
            assert client.get("/v1/models", headers=bearer(key)).status_code == 200
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    for secret in (key, key.split("_", 2)[2], stored.sha256):
        assert secret not in out + err
    assert public_id(key) not in out

"""How a gateway may start: nobody opens a port to everybody by accident, and what is wrong is one clear sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contract.errors import ContractError
from gateway.errors import BadSettingError
from gateway.security.access import check_access
from tests.gateway.running import running_gateway, settings_for
from tests.gateway.security.api_keys import Keys
from tests.gateway.security.certificates import Authority
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer

TOKENS = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
EVERYWHERE = ("0.0.0.0", "::", "192.168.1.5", "gateway.example", "")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A keys file with one key."""
    keys = Keys(tmp_path / "keys.json")
    keys.add()
    return keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    """On a loopback address access is off by default."""
    check_access(settings_for(host=host))


@pytest.mark.parametrize("host", [host for host in EVERYWHERE if host])
def test_other_hosts_need_a_decision(host: str, keys: Keys, tmp_path: Path) -> None:
    """On any other address the gateway wants keys, tokens or an explicit word that everybody may ask."""
    with pytest.raises(BadSettingError) as refused:
        check_access(settings_for(host=host))
    assert all(word in str(refused.value) for word in (host, "api_keys_file", "jwt_jwks", "--insecure"))
    check_access(settings_for(host=host, insecure=True))
    check_access(settings_for(host=host, api_keys_file=keys.path))
    issuer = Issuer()
    issuer.add_key("first")
    check_access(settings_for(host=host, **TOKENS, jwt_jwks=str(issuer.write(tmp_path / "jwks.json"))))


def test_insecure_does_not_switch_keys_off(keys: Keys) -> None:
    """A keys file counts even where insecure is set."""
    with running_gateway(api_keys_file=keys.path, insecure=True) as gateway:
        assert gateway.get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"jwt_issuer": ISSUER}, "jwt_audience and jwt_jwks is not set"),
        ({**TOKENS}, "jwt_jwks is not set"),
        ({**TOKENS, "jwt_jwks": "http://issuer.example/jwks"}, "https URL"),
        ({**TOKENS, "jwt_jwks": "file:///etc/passwd"}, "https URL"),
        ({**TOKENS, "jwt_jwks": "/nowhere.json"}, "/nowhere.json cannot be read"),
        ({"api_keys_file": "/nowhere.json"}, "graft keys create"),
        ({"tls_key": "/nowhere.key"}, "tls_certificate is not set"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], sentence: str) -> None:
    """Settings for tokens that are not complete or not safe, and files that are not there, end the start."""
    with pytest.raises(ContractError, match=sentence):
        check_access(settings_for(**given))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is broken"),
        ("{", "is broken"),
        ("[]", "is broken"),
        ('{"schema_version": 2}', "broken at schema_version"),
        ('{"keys": [{"id": "x"}]}', "broken at keys.0"),
        ('{"keys": [], "more": "graft_CANARY"}', "broken at more"),
    ],
)
def test_a_broken_keys_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    """A keys file that is none ends the start, with the place that is wrong and without what stands there."""
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ContractError, match=sentence) as refused:
        check_access(settings_for(api_keys_file=path))
    assert "CANARY" not in str(refused.value)


def test_a_keys_file_with_an_id_twice_is_refused(keys: Keys) -> None:
    """Two keys with one id would make one of them disappear."""
    content = keys.path.read_text()
    start = content.index("[") + 1
    keys.write(content[:start] + content[start:-2] + "," + content[start:])
    with pytest.raises(ContractError, match="same id"):
        check_access(settings_for(api_keys_file=keys.path))


def test_a_keys_file_that_everybody_may_write_is_refused(keys: Keys) -> None:
    """Whoever can write the file can give himself a key."""
    keys.path.chmod(0o606)
    with pytest.raises(ContractError, match="is world-writable"):
        check_access(settings_for(api_keys_file=keys.path))


def test_the_process_ends_with_one_line() -> None:
    """`graft gateway` on an address of the network, with nothing else said, exits with 2 and one line."""
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("Anyone who can reach 0.0.0.0 could send requests")


def test_insecure_is_a_word_on_the_command_line(tmp_path: Path) -> None:
    """With --insecure the same starts; over TLS it says https."""
    pair = Authority(tmp_path).vouch("gateway")
    environment = {"GATEWAY_TLS_CERTIFICATE": str(pair.certificate), "GATEWAY_TLS_KEY": str(pair.key)}
    command = [sys.executable, "-m", "graft", "gateway", "--model", "flowers", "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen(
        [*command, "--insecure"], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Gateway listening on https://0.0.0.0:")
        finally:
            process.send_signal(signal.SIGINT)


def test_cors_is_off_by_default(keys: Keys) -> None:
    """Without a setting no page of another origin may read an answer; with it the named one may, a 401 included."""
    origin = {"Origin": "https://app.example"}
    calling = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    with running_gateway() as gateway:
        assert "access-control-allow-origin" not in gateway.get("/v1/models", headers=origin).headers
    with running_gateway(cors_origins="https://app.example, https://b.example", api_keys_file=keys.path) as gateway:
        allowed = gateway.options("/v1/predict", headers=calling)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://app.example")
        assert "x-api-key" in allowed.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in allowed.headers
        refused = gateway.get("/v1/models", headers=origin)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")
        stranger = {**calling, "Origin": "https://evil.example"}
        assert gateway.options("/v1/predict", headers=stranger).status_code == 400
        assert "access-control-allow-origin" not in gateway.get("/livez", headers=stranger).headers


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "ftp://app.example", "https://"])
def test_an_origin_that_would_never_match_is_refused(origin: str) -> None:
    """An origin is a scheme and a host; anything else would be allowed in vain."""
    with pytest.raises(ValidationError, match="cors_origins"):
        settings_for(cors_origins=origin)

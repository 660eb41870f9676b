"""The file of `--ssl_config_file`, before a port is opened with it."""

from pathlib import Path

import grpc
import pytest

from modelserver.errors import BadSettingError
from modelserver.grpc.tls import server_credentials
from tests.gateway.security.certificates import DAY, Authority
from tests.modelserver.ssl_config import ssl_config


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Vouches for the server."""
    return Authority(tmp_path)


def test_a_file_with_a_pair_is_taken(authority: Authority, tmp_path: Path) -> None:
    """A key, its certificate and an authority for clients are all that is needed."""
    pair = authority.vouch("server")
    own = {"server_key": pair.key, "server_cert": pair.certificate}
    path = ssl_config(tmp_path / "ssl.config", **own, custom_ca=authority.certificate, client_verify=True)
    assert isinstance(server_credentials(path), grpc.ServerCredentials)


def test_what_cannot_be_used_is_named(authority: Authority, tmp_path: Path) -> None:
    """Each fault is one sentence that says which part of which file is wrong."""
    pair, stranger = authority.vouch("server"), authority.vouch("stranger")
    ended = authority.vouch("ended", ends=-DAY)
    secret = authority.vouch("secret", password=b"secret")
    good = {"server_key": pair.key, "server_cert": pair.certificate}
    cases: list[tuple[dict[str, str | Path | bool], str]] = [
        ({}, "server_cert in PATH holds no certificate in PEM form."),
        ({**good, "server_cert": "nonsense"}, "server_cert in PATH holds no certificate in PEM form."),
        ({**good, "server_key": ""}, "server_key in PATH holds no private key in PEM form."),
        ({**good, "server_key": stranger.key}, "server_key in PATH belongs to another certificate than server_cert."),
        (
            {"server_key": secret.key, "server_cert": secret.certificate},
            "server_key in PATH is encrypted; give it without a password.",
        ),
        ({"server_key": ended.key, "server_cert": ended.certificate}, "server_cert in PATH expired on 20"),
        ({**good, "client_verify": True}, "PATH asks for client certificates but has no custom_ca to verify them by."),
        ({**good, "custom_ca": "nonsense"}, "custom_ca in PATH holds no certificate in PEM form."),
    ]
    for fields, sentence in cases:
        path = ssl_config(tmp_path / "ssl.config", **fields)
        with pytest.raises(BadSettingError) as caught:
            server_credentials(path)
        assert str(caught.value).replace(str(path), "PATH").startswith(sentence)


def test_a_file_that_is_missing_or_another_message_is_named(tmp_path: Path) -> None:
    """The flag names a file that is there, and of the right kind."""
    with pytest.raises(BadSettingError, match=r"The TLS configuration .*ssl\.config cannot be read: No such file"):
        server_credentials(tmp_path / "ssl.config")
    (tmp_path / "ssl.config").write_text("certificate: 1")
    with pytest.raises(BadSettingError, match=r"ssl\.config is no SSLConfig in text form: .* no field named"):
        server_credentials(tmp_path / "ssl.config")

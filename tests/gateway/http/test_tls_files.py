"""Certificates and keys are looked at when the gateway starts, and each problem is one clear sentence."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import BadSettingError
from gateway.security.tls import channel_credentials, check_tls, server_tls
from tests.gateway.running import settings_for
from tests.gateway.security.certificates import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that vouches for certificates in a folder of the test's own."""
    return Authority(tmp_path)


def test_without_certificates_there_is_no_tls() -> None:
    """By default neither the port nor the channel speaks TLS."""
    assert server_tls(settings_for()) == {}
    assert channel_credentials(settings_for()) is None


def test_good_files_pass(authority: Authority) -> None:
    """A certificate with its key goes on to the server; an authority or a certificate makes a channel secure."""
    pair = authority.vouch("gateway")
    own = settings_for(tls_certificate=pair.certificate, tls_key=pair.key)
    assert server_tls(own) == {"ssl_certfile": pair.certificate, "ssl_keyfile": pair.key}
    assert channel_credentials(own) is None
    assert channel_credentials(settings_for(model_server_ca=authority.certificate)) is not None
    mutual = settings_for(model_server_certificate=pair.certificate, model_server_key=pair.key)
    assert channel_credentials(mutual) is not None


def _pair(pair: Pair) -> dict[str, Path]:
    return {"certificate": pair.certificate, "key": pair.key}


def _broken(authority: Authority, which: str) -> dict[str, Path]:
    pair = _pair(authority.vouch("broken"))
    pair[which].write_text("-----BEGIN NONSENSE-----\nSECRET-CANARY\n-----END NONSENSE-----\n")
    return pair


def _mixed(authority: Authority) -> dict[str, Path]:
    return {"certificate": authority.vouch("one").certificate, "key": authority.vouch("two").key}


PROBLEMS: dict[str, tuple[Callable[[Authority], dict[str, Path]], str]] = {
    "no key": (lambda it: {"certificate": it.vouch("x").certificate}, "belong together; {prefix}_key is not set"),
    "no certificate": (lambda it: {"key": it.vouch("x").key}, "belong together; {prefix}_certificate is not set"),
    "no file": (lambda it: _pair(Pair(Path("/nowhere.pem"), it.vouch("x").key)), "No such file or directory"),
    "a folder": (lambda it: _pair(Pair(it.vouch("x").certificate, Path("/"))), "cannot be read: Is a directory"),
    "a broken certificate": (lambda it: _broken(it, "certificate"), "has no certificate in PEM format"),
    "a broken key": (lambda it: _broken(it, "key"), "has no private key in PEM format"),
    "an encrypted key": (lambda it: _pair(it.vouch("x", password=b"secret")), "is encrypted"),
    "another's key": (_mixed, "does not belong to the certificate"),
    "expired": (lambda it: _pair(it.vouch("x", ends=timedelta(days=-1))), "expired on"),
}


@pytest.mark.parametrize("prefix", ["tls", "model_server"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_problem_is_one_sentence(authority: Authority, prefix: str, problem: str) -> None:
    """What is wrong with a certificate or its key is told with the file and the setting, and never its content."""
    make, sentence = PROBLEMS[problem]
    given = settings_for(**{f"{prefix}_{name}": path for name, path in make(authority).items()})
    with pytest.raises(BadSettingError) as refused:
        check_tls(given)
    told = str(refused.value)
    assert sentence.format(prefix=prefix) in told
    assert prefix in told
    assert "CANARY" not in told
    assert (told.count("\n"), told[-1]) == (0, ".")


def test_an_authority_that_is_none_is_refused(tmp_path: Path, authority: Authority) -> None:
    """The file of authorities has to hold a certificate that has not expired."""
    for path, sentence in (
        (authority.vouch("x").key, "has no certificate in PEM format"),
        (tmp_path / "nowhere.pem", "cannot be read"),
        (Authority(tmp_path, "old", ends=timedelta(days=-1)).certificate, "has expired"),
    ):
        with pytest.raises(BadSettingError, match=sentence):
            check_tls(settings_for(model_server_ca=path))

"""Bearer tokens: which JWTs are believed, and which tricks are not."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys, bearer
from tests.gateway.security.issuer import AUDIENCE, ISSUER, Issuer
from tests.gateway.waiting import wait_until

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWT_SETTINGS = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """An issuer with one RSA key."""
    issuer = Issuer()
    issuer.add_key("first", RSA_KEY, "RS256")
    return issuer


@pytest.fixture(scope="module")
def gateway(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway that believes the issuer's tokens, by a file that does not change."""
    jwks = issuer.write(tmp_path_factory.mktemp("issuer") / "jwks.json")
    with running_gateway(**JWT_SETTINGS, jwt_jwks=str(jwks)) as client:
        yield client


def send(gateway: httpx.Client, token: str, path: str = "/v1/models") -> tuple[int, str]:
    """Return the status and the sentence of a GET with a token."""
    response = gateway.get(path, headers=bearer(token))
    return response.status_code, str(response.json().get("detail", "")) if response.is_error else ""


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Return a token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


def good_claims(**changed: Any) -> dict[str, Any]:
    """Return claims that are all right."""
    return {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 3600, "scope": "predict operate", **changed}


def test_a_token_opens_what_its_scopes_name(gateway: httpx.Client, issuer: Issuer) -> None:
    """The scope claim lists scopes of ours and others; a token without the needed one is a 403, without any as well."""
    for scope, models, metrics in (
        ("predict", 200, 403),
        ("openid operate email", 403, 200),
        ("operate predict", 200, 200),
        (None, 403, 403),
        (["predict"], 403, 403),
        ("predictor", 403, 403),
    ):
        headers = bearer(issuer.token(scope=scope))
        for _ in range(2):  # the second time it is remembered
            statuses = [gateway.get(path, headers=headers).status_code for path in ("/v1/models", "/metrics")]
            assert statuses == [models, metrics]


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": 1}, "The token has expired."),
        ({"exp": None}, "The token has no exp claim."),
        ({"exp": "soon"}, "The bearer credentials are neither a key nor a token."),
        ({"nbf": int(time.time()) + 3600}, "The token is not valid yet."),
        ({"aud": "another"}, "The token is for another audience."),
        ({"aud": None}, "The token has no aud claim."),
        ({"iss": "https://issuer.example.evil"}, "The token is from another issuer."),
        ({"iss": None}, "The token has no iss claim."),
    ],
)
def test_claims_that_are_wrong_are_refused(
    gateway: httpx.Client, issuer: Issuer, claims: dict[str, Any], sentence: str
) -> None:
    """A token that expired, is not valid yet, or is of or for somebody else is a 401 that says which."""
    assert send(gateway, issuer.token(**claims)) == (401, sentence)
    response = gateway.get("/v1/models", headers=bearer(issuer.token(**claims)))
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


def test_an_audience_may_be_one_of_several(gateway: httpx.Client, issuer: Issuer) -> None:
    """A token may be for us and for others."""
    assert send(gateway, issuer.token(aud=["another", AUDIENCE]))[0] == 200


def test_a_token_without_a_signature_is_refused(gateway: httpx.Client) -> None:
    """The algorithm none proves nothing, however it is spelled, and whether or not the token names a key."""
    for algorithm in ("none", "None", "NONE", "", None):
        for key in ({"kid": "first"}, {}):
            status, sentence = send(gateway, forged({"alg": algorithm, "typ": "JWT", **key}, good_claims()))
            assert (status, "predict" in sentence) == (401, False)


def test_the_public_key_is_no_shared_secret(gateway: httpx.Client, issuer: Issuer) -> None:
    """A token signed by HMAC with the public key as its secret, as PEM, DER or JWK, is refused."""
    public = RSA_KEY.public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = [
        public.public_bytes(serialization.Encoding.PEM, info),
        public.public_bytes(serialization.Encoding.DER, info),
        json.dumps(issuer.public_key("first")).encode(),
        issuer.public_key("first")["n"].encode(),
    ]
    for name in ("HS256", "HS384", "HS512"):
        algorithm = jwt.algorithms.get_default_algorithms()[name]
        for secret in secrets:
            unsigned = forged({"alg": name, "kid": "first"}, good_claims()).rpartition(".")[0]
            signature = base64.urlsafe_b64encode(algorithm.sign(unsigned.encode(), secret)).rstrip(b"=").decode()
            assert send(gateway, f"{unsigned}.{signature}")[0] == 401


def test_a_token_does_not_bring_its_own_key(gateway: httpx.Client) -> None:
    """Keys and addresses of keys in the token's header are not looked at."""
    own = Issuer()
    own.add_key("first")
    with own.serving() as url:
        for header in ({"jwk": own.public_key("first")}, {"jku": url}, {"x5u": url}, {"kid": url}, {"kid": "../first"}):
            token = jwt.encode(good_claims(), own.private["first"][0], "ES256", headers={"kid": "first", **header})
            assert send(gateway, token)[0] == 401
    assert own.fetched == 0


def test_a_changed_token_is_refused(gateway: httpx.Client, issuer: Issuer) -> None:
    """Another body under a good signature, or another signature, is refused; so is a stranger's token."""
    token = issuer.token()
    assert send(gateway, token)[0] == 200
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps(good_claims(sub="root")).encode()).rstrip(b"=").decode()
    assert send(gateway, f"{head}.{body}.{signature}") == (401, "The token's signature is invalid.")
    assert send(gateway, token[:-6] + "AAAAAA")[0] == 401
    stranger = Issuer()
    stranger.add_key("first", rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256")
    assert send(gateway, stranger.token()) == (401, "The token's signature is invalid.")
    stranger.add_key("unknown")
    assert send(gateway, stranger.token()) == (401, "The token is signed with an unknown key.")


NESTED = base64.urlsafe_b64encode(b"[" * 5000).decode()
NO_TOKENS = ("x", "a.b", "a.b.c", "....", "e30.e30.", "bnVsbA.e30.AA", "W10.e30.AA", "é.ü.ö", "a" * 9000, "{}", ".")


@pytest.mark.parametrize("token", [*NO_TOKENS, f"{NESTED}.e30.AA"])
def test_what_is_no_token_is_refused(gateway: httpx.Client, token: str) -> None:
    """Anything that is no token is a 401 with one sentence that does not repeat it."""
    response = gateway.get("/v1/models", headers={b"Authorization": f"Bearer {token}".encode()})
    assert (response.status_code, response.json()["code"]) == (401, "invalid_credentials")
    assert len(response.json()["detail"]) < 100


def test_asymmetric_algorithms_are_believed_and_short_keys_are_not(issuer: Issuer, tmp_path: Path) -> None:
    """A token is proved with any asymmetric algorithm that its key is for; an RSA key of 1024 bits proves nothing."""
    several = Issuer()
    for algorithm, private in (
        ("PS256", RSA_KEY),
        ("RS512", RSA_KEY),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ):
        several.add_key(algorithm, private, algorithm)
    several.add_key("short", rsa.generate_private_key(public_exponent=65537, key_size=1024), "RS256")
    with running_gateway(**JWT_SETTINGS, jwt_jwks=str(several.write(tmp_path / "jwks.json"))) as gateway:
        for key_id in ("PS256", "RS512", "ES256", "ES384", "EdDSA"):
            assert send(gateway, several.token(key_id)) == (200, "")
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = several.token("short")
        assert send(gateway, token) == (401, "The token is signed with a key that is too short.")


def test_a_key_that_is_taken_back_proves_nothing_more(tmp_path: Path) -> None:
    """When the JWKS file changes, its new key proves, and a token of the old one that was remembered is refused."""
    issuer = Issuer()
    issuer.add_key("first")
    old = issuer.token()
    with running_gateway(**JWT_SETTINGS, jwt_jwks=str(issuer.write(tmp_path / "jwks.json"))) as gateway:
        assert send(gateway, old)[0] == 200
        issuer.add_key("second")
        issuer.shown.pop(0)
        issuer.write(tmp_path / "jwks.json")
        wait_until(lambda: send(gateway, issuer.token())[0] == 200, 5)
        assert send(gateway, old)[0] == 401


def test_keys_and_tokens_side_by_side(issuer: Issuer, tmp_path: Path) -> None:
    """A gateway may accept both; a token is no API key, so not in X-API-Key."""
    keys = Keys(tmp_path / "keys.json")
    key, token = keys.add(), issuer.token()
    jwks = str(issuer.write(tmp_path / "jwks.json"))
    with running_gateway(api_keys_file=keys.path, **JWT_SETTINGS, jwt_jwks=jwks) as gateway:
        assert [send(gateway, each)[0] for each in (key, token)] == [200, 200]
        assert gateway.get("/v1/models", headers={"X-API-Key": token}).status_code == 401


def test_only_tokens(gateway: httpx.Client, tmp_path: Path) -> None:
    """Where only tokens are accepted, an API key is told so."""
    key = Keys(tmp_path / "keys.json").add()
    status, sentence = send(gateway, key)
    assert (status, "not accepted here" in sentence) == (401, True)

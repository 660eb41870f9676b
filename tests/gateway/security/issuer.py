"""An issuer of tokens: signs JWTs, and shows its public keys over HTTP on a loopback port or in a file."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://issuer.example", "graft"

_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_ALGORITHM_CLASSES: dict[str, Any] = {
    "RS": jwt.algorithms.RSAAlgorithm,
    "PS": jwt.algorithms.RSAAlgorithm,
    "ES": jwt.algorithms.ECAlgorithm,
    "Ed": jwt.algorithms.OKPAlgorithm,
}


@dataclass
class Issuer:
    """Signs with its last key, which it shows unless told otherwise. `response` replaces what the URL answers.

    `fetched` counts how often the URL was asked, and `pause` is how long it thinks, in seconds.
    """

    private: dict[str, tuple[_Private, str]] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)
    response: tuple[int, bytes] | None = None
    fetched: int = 0
    pause: float = 0.0

    def add_key(self, key_id: str, private: _Private | None = None, algorithm: str = "ES256") -> None:
        """Sign with another key from now on, and show it."""
        self.private[key_id] = private or ec.generate_private_key(ec.SECP256R1()), algorithm
        self.shown.append(self.public_key(key_id))

    def public_key(self, key_id: str) -> dict[str, Any]:
        """Return a key as a JWK."""
        private, algorithm = self.private[key_id]
        found = json.loads(_ALGORITHM_CLASSES[algorithm[:2]].to_jwk(private.public_key()))
        return {**found, "kid": key_id, "alg": algorithm, "use": "sig"}

    def token(self, key_id: str | None = None, **claims: Any) -> str:
        """Return a token for the scope predict, for an hour, that `claims` change; None leaves one out."""
        name = key_id or list(self.private)[-1]
        private, algorithm = self.private[name]
        now = time.time()
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "exp": int(now) + 3600, "scope": "predict"}
        given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(given, private, algorithm, headers={"kid": name})

    def jwks(self) -> bytes:
        """Return the keys that it shows."""
        return json.dumps({"keys": self.shown}).encode()

    def write(self, path: Path) -> Path:
        """Put the keys that it shows into a file, in one rename."""
        unfinished = path.with_name("unfinished-jwks")
        unfinished.write_bytes(self.jwks())
        return unfinished.rename(path)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Show the keys over HTTP; yield the URL."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                time.sleep(issuer.pause)
                status, content = issuer.response or (200, issuer.jwks())
                self.send_response(status)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}/jwks"
            server.shutdown()
            thread.join()

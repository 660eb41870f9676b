"""A token issuer that goes away: keys over HTTP on a loopback port, tokens that they verify, and gateways that ask."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.outages.scenario import Outage
from benchmarks.outages.service import started_service, with_traffic
from benchmarks.outages.stage import Stage
from benchmarks.serving.systems import SystemFailedError, free_port

_ISSUER, _AUDIENCE, _KEY_ID = "https://issuer.example", "graft", "outages"
_TOKENS_EVERY = 19
"""One of so many requests has a token, the others an API key: too few to burn a budget. Odd, for both gateways."""


def unreachable(stage: Stage) -> Outage:
    """Let the issuer go, and restart the gateways meanwhile, which then have no keys; the repair brings it back.

    Without the restart its last keys stay valid for an hour of real time, which no factor shortens.
    """
    issuer = Issuer()
    stage.stack.callback(issuer.close)
    issuer.open()
    keys = stage.folder / "keys.json"
    predict, operate = (_api_key(keys, scope) for scope in ("predict", "operate"))
    settings = {
        "jwt_issuer": _ISSUER,
        "jwt_audience": _AUDIENCE,
        "jwt_jwks": issuer.url,
        "api_keys_file": str(keys),
    }
    service = started_service(stage, settings=[f"{name}={value}" for name, value in settings.items()])
    credentials = [_bearer(predict)] * (_TOKENS_EVERY - 1) + [_bearer(issuer.token())]
    key_file = stage.folder / "probe-key"
    key_file.write_text(predict, encoding="utf-8")
    probing = [f"--api-key-file={key_file}"]
    outage = with_traffic(stage, service, credentials=credentials, key=operate, probe_arguments=probing)

    def break_it() -> float:
        issuer.close()
        return service.restart_gateways()

    outage.break_it, outage.repair = break_it, issuer.open
    return outage


class Issuer:
    """Signs tokens, and shows its public key while it is open."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._port = free_port()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where its keys are."""
        return f"http://127.0.0.1:{self._port}/jwks"

    def token(self) -> str:
        """Return a token for the scope predict, for a day."""
        claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "outages", "exp": int(time.time()) + 86400}
        return jwt.encode({**claims, "scope": "predict"}, self._key, "ES256", headers={"kid": _KEY_ID})

    def open(self) -> None:
        """Listen, and show the key."""
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        keys = json.dumps({"keys": [{**jwk, "kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True, name="issuer").start()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def _api_key(file: Path, scope: str) -> str:
    command = [sys.executable, "-m", "graft", "keys", "create", "--name", scope, "--scope", scope, "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemFailedError(f"`graft keys create` failed: {done.stderr.strip()}")
    return done.stdout.strip()

"""Asks a server of the same container whether it can be used; exit code 0 means yes. For HEALTHCHECK and probes.

probe.py http PORT PATH      200 within two seconds, over TLS where GATEWAY_TLS_CERTIFICATE is set
probe.py grpc PORT           SERVING within two seconds, by grpc.health.v1
"""

import http.client
import os
import ssl
import sys

_SECONDS = 2.0
_CHECK = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""A HealthCheckResponse whose first field, the status, is 1; so the message classes need not be loaded."""


def http_responses(port: int, path: str) -> bool:
    """Return whether `path` is answered with 200. The certificate is that of the outer name, so it is not checked."""
    if os.environ.get("GATEWAY_TLS_CERTIFICATE"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def grpc_serves(port: int) -> bool:
    """Return whether the whole server is SERVING."""
    import grpc  # noqa: PLC0415 - the gateway's probe does without

    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            response = channel.unary_unary(_CHECK, bytes, bytes)(b"", timeout=_SECONDS)
        except grpc.RpcError:
            return False
    return bool(response == _SERVING)


def main(arguments: list[str]) -> int:
    """Return 0 where the server answers, 1 where it does not, 2 where the arguments are others than above."""
    match arguments:
        case ["http", port, path]:
            return 0 if http_responses(int(port), path) else 1
        case ["grpc", port]:
            return 0 if grpc_serves(int(port)) else 1
    print(__doc__, file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

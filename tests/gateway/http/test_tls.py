"""TLS on the wire: the gateway's own port, and the way to the model server, with and without a certificate of ours."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from contract import serving_messages as messages
from gateway.backend.channel import open_channel
from gateway.security.tls import channel_credentials
from gateway.settings import Settings
from tests.gateway.running import running_gateway, settings_for
from tests.gateway.security.certificates import Authority, Pair
from tests.gateway.waiting import wait_until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that both sides trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> Pair:
    """A server's certificate."""
    return authority.vouch("server")


@pytest.fixture(scope="module")
def client_pair(authority: Authority) -> Pair:
    """A client's certificate."""
    return authority.vouch("client")


def tls_settings(pair: Pair) -> dict[str, Any]:
    """Return the settings of a gateway that speaks TLS."""
    return {"tls_certificate": pair.certificate, "tls_key": pair.key}


@contextmanager
def running_model_server(pair: Pair, clients: Path | None = None) -> Iterator[str]:
    """Run a gRPC server that knows a status of every model; with `clients`, only for those who they vouch for."""
    status = messages.GetModelStatusResponse()
    status.model_version_status.add(version=7, state=messages.VersionState.Value("AVAILABLE"))
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: status,
        messages.GetModelStatusRequest.FromString,
        messages.GetModelStatusResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    service = grpc.method_handlers_generic_handler(messages.MODEL_SERVICE, {"GetModelStatus": handler})
    server.add_generic_rpc_handlers((service,))
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        clients.read_bytes() if clients else None,
        require_client_auth=clients is not None,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def send(given: Settings) -> grpc.StatusCode:
    """Ask the model server for a status over the gateway's own channel; return how that ended."""

    async def call() -> grpc.StatusCode:
        async with open_channel(given, channel_credentials(given)) as channel:
            method = channel.unary_unary(
                f"/{messages.MODEL_SERVICE}/GetModelStatus",
                messages.GetModelStatusRequest.SerializeToString,
                messages.GetModelStatusResponse.FromString,
            )
            request = messages.GetModelStatusRequest(model_spec={"name": "flowers"})
            try:
                response = await method(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                return error.code()
            assert response.model_version_status[0].version == 7
            return grpc.StatusCode.OK

    return asyncio.run(call())


def test_the_port_speaks_tls(authority: Authority, server_pair: Pair) -> None:
    """A client that trusts the authority is answered over TLS; one that does not, or speaks HTTP, is not."""
    context = ssl.create_default_context(cafile=authority.certificate)
    with running_gateway(context, **tls_settings(server_pair)) as client:
        assert client.get("/livez").json() == {"status": "alive"}
        url = client.base_url.join("/livez")
        assert url.scheme == "https"
        with httpx.Client(trust_env=False) as stranger:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                stranger.get(url)
            with pytest.raises(httpx.RemoteProtocolError):
                stranger.get(url.copy_with(scheme="http"))


def test_the_model_server_has_to_be_vouched_for(tmp_path: Path, authority: Authority, server_pair: Pair) -> None:
    """Over TLS the model server is asked only if the right authority vouches for it; without TLS it is not reached."""
    with running_model_server(server_pair) as address:
        assert send(settings_for(model_server=address, model_server_ca=authority.certificate)) is grpc.StatusCode.OK
        other = Authority(tmp_path, "other").certificate
        assert send(settings_for(model_server=address, model_server_ca=other)) is grpc.StatusCode.UNAVAILABLE
        assert send(settings_for(model_server=address)) is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls(tmp_path: Path, authority: Authority, server_pair: Pair, client_pair: Pair) -> None:
    """A model server that wants a certificate gets ours; without one, or with a stranger's, it does not answer."""
    with running_model_server(server_pair, clients=authority.certificate) as address:
        alone = settings_for(model_server=address, model_server_ca=authority.certificate)
        stranger = Authority(tmp_path, "stranger").vouch("client")
        for pair, status in (
            (client_pair, grpc.StatusCode.OK),
            (stranger, grpc.StatusCode.UNAVAILABLE),
        ):
            with_pair = {"model_server_certificate": pair.certificate, "model_server_key": pair.key}
            assert send(alone.model_copy(update=with_pair)) is status
        assert send(alone) is grpc.StatusCode.UNAVAILABLE


def test_all_of_it_at_once(authority: Authority, server_pair: Pair, client_pair: Pair) -> None:
    """A gateway over TLS in front of a model server over mutual TLS tells which versions that one serves."""
    context = ssl.create_default_context(cafile=authority.certificate)
    with running_model_server(server_pair, clients=authority.certificate) as address:
        given = {
            "model_server": address,
            "model_server_ca": authority.certificate,
            "model_server_certificate": client_pair.certificate,
            "model_server_key": client_pair.key,
        }
        with running_gateway(context, **tls_settings(server_pair), **given) as client:

            def versions() -> list[dict[str, Any]]:
                [model] = client.get("/v1/models").json()["models"]
                return list(model["versions"])

            wait_until(lambda: bool(versions()))
            assert [(row["version"], row["state"]) for row in versions()] == [("7", "AVAILABLE")]

"""The server as those who run it see it: reloads, TLS, metrics, health."""

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from contract import serving_messages as messages
from contract.versions import WARMUP
from tests.gateway.security.certificates import Authority, Pair
from tests.modelserver.ssl_config import ssl_config

RELOAD = f"/{messages.MODEL_SERVICE}/HandleReloadConfigRequest"
STATUS = f"/{messages.MODEL_SERVICE}/GetModelStatus"


@pytest.fixture
def base_path(tmp_path: Path, publish: Callable[..., Path]) -> Path:
    """A base path with version 1, whose factor is 2."""
    publish(tmp_path / "scale", 1, 2.0)
    return tmp_path / "scale"


def _reload(client: Any, *base_paths: Path) -> None:
    request = messages.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for path in base_paths:
        request.config.model_config_list.config.add(name=path.name, base_path=str(path), model_platform="tensorflow")
    send = client.channel.unary_unary(RELOAD, request_serializer=bytes, response_deserializer=bytes)
    response = messages.ReloadConfigResponse.FromString(send(request.SerializeToString(), timeout=30))
    assert response.HasField("status")
    assert response.status.error_code == 0


def test_a_reload_that_cannot_be_applied_blocks_nothing(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """A missing base path is answered at once, models answer on, and the next reload is applied."""
    client = start_server(base_path, allow_reload_requests=True, base_path_roots=(base_path.parent,))
    eventually(lambda: client.is_available(1))
    missing = base_path.with_name("missing")
    with pytest.raises(grpc.RpcError) as caught:
        _reload(client, base_path, missing)
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == f"Could not find base path {missing} for servable missing; nothing was changed."
    assert client.predict({"x": x}).model_spec.version.value == 1
    publish(base_path.with_name("other"), 4, 3.0)
    _reload(client, base_path.with_name("other"))
    assert client.predict({"x": x}, name="other").model_spec.version.value == 4
    assert client.states("scale") == {1: ("END", "")}
    _reload(client)
    assert client.states("other") == {4: ("END", "")}


def test_warmup_can_be_turned_off(
    tmp_path: Path, publish: Callable[..., Path], start_server: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """Without warm-up a version is served whose records could not be replayed."""

    def damage(folder: Path) -> None:
        (folder / WARMUP).parent.mkdir()
        (folder / WARMUP).write_bytes(b"no TFRecord, but long enough to have a header")

    publish(tmp_path / "scale", 1, 2.0, damage)
    client = start_server(tmp_path / "scale", enable_model_warmup=False)
    eventually(lambda: client.is_available(1))


def _states(port: int, credentials: grpc.ChannelCredentials | None) -> Any:
    """Ask for the states of versions, over TLS if there are credentials; no try takes long."""
    address = f"127.0.0.1:{port}"
    channel = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
    with channel:
        send = channel.unary_unary(STATUS, request_serializer=bytes, response_deserializer=bytes)
        request = messages.GetModelStatusRequest(model_spec={"name": "scale"})
        return messages.GetModelStatusResponse.FromString(send(request.SerializeToString(), timeout=10))


def _credentials(authority: Authority, pair: Pair | None = None) -> grpc.ChannelCredentials:
    own = (None, None) if pair is None else (pair.key.read_bytes(), pair.certificate.read_bytes())
    return grpc.ssl_channel_credentials(authority.certificate.read_bytes(), *own)


def test_a_server_with_tls_proves_itself(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """Who trusts its authority is answered; who does not, or speaks plainly, is not."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    pair = authority.vouch("server")
    config = ssl_config(tmp_path / "ssl.config", server_key=pair.key, server_cert=pair.certificate)
    port = start_server(tmp_path / "scale", ssl_config_file=config).port
    assert not _states(port, _credentials(authority)).model_version_status
    for credentials in (_credentials(stranger), None):
        with pytest.raises(grpc.RpcError):
            _states(port, credentials)


def test_a_server_may_ask_for_certificates(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """With client_verify, only those are answered whom the authority vouches for."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    pair = authority.vouch("server")
    own = {"server_key": pair.key, "server_cert": pair.certificate}
    config = ssl_config(tmp_path / "ssl.config", **own, custom_ca=authority.certificate, client_verify=True)
    port = start_server(tmp_path / "scale", ssl_config_file=config).port
    assert not _states(port, _credentials(authority, authority.vouch("client"))).model_version_status
    for client in (None, stranger.vouch("other")):
        with pytest.raises(grpc.RpcError):
            _states(port, _credentials(authority, client))


def test_metrics_tell_versions_apart(
    base_path: Path,
    tmp_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """Before and after a swap, requests, loads and runs are counted, each for its version."""
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true path: "/metrics" }')
    client = start_server(base_path, rest_api_port=0, monitoring_config_file=monitoring)
    eventually(lambda: client.is_available(1))
    client.predict({"x": x})
    publish(base_path, 2, 3.0)
    eventually(lambda: client.is_available(2))
    for _ in range(2):
        client.predict({"x": x})
    with pytest.raises(grpc.RpcError):
        client.predict({"x": x}, signature="nosig")
    page = _page(client.metrics_port, "/metrics")
    replied = ':tensorflow:serving:request_count{model_name="scale",status='
    assert f'{replied}"OK",version="1"}} 1.0\n' in page
    assert f'{replied}"OK",version="2"}} 2.0\n' in page
    assert f'{replied}"FAILED_PRECONDITION",version=""}} 1.0\n' in page
    assert ":tensorflow:core:graph_runs 3.0\n" in page
    place = f'model_path="{base_path / "2"}"'
    assert f':tensorflow:cc:saved_model:load_attempt_count{{{place},status="success"}} 1.0\n' in page


def _page(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_health_says_when_models_are_served(
    tmp_path: Path, publish: Callable[..., Path], start_server: Callable[..., Any]
) -> None:
    """NOT_SERVING while the first version is awaited, SERVING from then on."""
    client = start_server(tmp_path / "scale")
    seen = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
    status = health_pb2.HealthCheckResponse
    assert next(response.status for response in seen if response.status == status.NOT_SERVING)
    publish(tmp_path / "scale", 1, 2.0)
    assert next(seen).status == status.SERVING
    assert client.is_available(1)
    seen.cancel()


def test_options_of_grpc_hold_for_the_server(
    base_path: Path, start_server: Callable[..., Any], eventually: Callable[..., None], x: npt.NDArray[np.float32]
) -> None:
    """A server that may get little refuses more, and takes any size otherwise."""
    client = start_server(base_path, grpc_channel_arguments={"grpc.max_receive_message_length": 1000})
    eventually(lambda: client.is_available(1))
    assert client.predict({"x": x}).model_spec.version.value == 1
    with pytest.raises(grpc.RpcError) as caught:
        client.predict({"x": np.zeros(1000, np.float32)})
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

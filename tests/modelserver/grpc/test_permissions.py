"""Who may change what is served, and to what; who is told how the services look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from contract import serving_messages as messages
from modelserver.errors import NotAllowedError, SettingError
from modelserver.settings import ModelServerSettings
from modelserver.versions.base_paths import BasePathRoots
from modelserver.versions.configs import model_configs
from tests.gateway.security.certificates import Authority
from tests.modelserver.ssl_config import ssl_config

RELOAD = f"/{messages.MODEL_SERVICE}/HandleReloadConfigRequest"


def _reload(channel: grpc.Channel, **models: Path | str) -> tuple[str, str]:
    """Ask for these models by name; return the status and its text."""
    request = messages.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, path in models.items():
        request.config.model_config_list.config.add(name=name, base_path=str(path), model_platform="tensorflow")
    send = channel.unary_unary(RELOAD, request_serializer=bytes, response_deserializer=bytes)
    try:
        send(request.SerializeToString(), timeout=30)
    except grpc.RpcError as caught:
        error: Any = caught  # also a grpc.Call, which the stubs do not know
        return error.code().name, error.details()
    return "OK", ""


def _services(channel: grpc.Channel) -> list[str] | tuple[str, str]:
    """Return the names of the services that reflection lists, or the status and its text."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    try:
        (response,) = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=30
        )
    except grpc.RpcError as caught:
        error: Any = caught
        return error.code().name, error.details()
    return [service.name for service in response.list_services_response.service]


def test_reload_and_reflection_are_off(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """Without a flag, a reload is refused with PERMISSION_DENIED and reflection with UNIMPLEMENTED, both in words."""
    client = start_server(tmp_path / "scale")
    code, details = _reload(client.channel, scale=tmp_path / "scale")
    assert (code, "--allow_reload_requests" in details) == ("PERMISSION_DENIED", True)
    assert client.states("scale") == {}  # still configured
    code, details = _services(client.channel)
    assert (code, "--allow_reflection" in details) == ("UNIMPLEMENTED", True)


def test_flags_turn_them_on(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """With the flags, whoever reaches the port may reload, and learns the services."""
    (tmp_path / "scale").mkdir()
    client = start_server(tmp_path / "scale", allow_reload_requests=True, allow_reflection=True)
    assert _reload(client.channel) == ("OK", "")
    assert messages.PREDICTION_SERVICE in _services(client.channel)


def test_verified_clients_need_no_flag(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """Where every client shows a certificate, reload and reflection are on."""
    authority = Authority(tmp_path)
    pair, own = authority.vouch("server"), authority.vouch("client")
    config = ssl_config(
        tmp_path / "ssl.config",
        server_key=pair.key,
        server_cert=pair.certificate,
        custom_ca=authority.certificate,
        client_verify=True,
    )
    (tmp_path / "scale").mkdir()
    port = start_server(tmp_path / "scale", ssl_config_file=config).port
    files = (authority.certificate, own.key, own.certificate)
    credentials = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        assert _reload(channel) == ("OK", "")
        assert messages.MODEL_SERVICE in _services(channel)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with models that may not be served."""
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    return tmp_path / "outside"


@pytest.fixture
def roots(tmp_path: Path, outside: Path) -> Path:
    """The folder that models may be served from, with a model, and a link that leads out."""
    (tmp_path / "models" / "scale").mkdir(parents=True)
    (tmp_path / "models" / "link").symlink_to(outside)
    return tmp_path / "models"


def _places_outside(roots: Path, outside: Path) -> list[str]:
    return [
        *(str(outside), str(outside / "secret"), "/", "/etc", f"{roots}-2"),
        *(f"{roots}/../outside", f"{roots}/scale/../../outside/secret", str(roots / "link"), f"{roots}/link/secret"),
        *(f"{roots}/nothing/../../outside", str(roots.parent), f"{roots}/{'x' * 5000}/../../outside"),
    ]


def test_base_paths_of_requests_lie_in_the_roots(roots: Path, outside: Path, start_server: Callable[..., Any]) -> None:
    """A base path elsewhere, also by a link or `..`, is refused, and nothing is changed; one within is taken."""
    client = start_server(roots / "scale", allow_reload_requests=True, base_path_roots=(roots,))
    for place in _places_outside(roots, outside):
        code, details = _reload(client.channel, other=place)
        assert code == "PERMISSION_DENIED", place
        assert "lies outside of the folders that this server may serve from" in details
    (roots / "other").mkdir()
    code, details = _reload(client.channel, other=roots / "other")
    assert (code, "no version to serve under" in details) == ("FAILED_PRECONDITION", True)
    code, details = _reload(client.channel, other=f"{roots}/nul\0byte")
    assert code == "INVALID_ARGUMENT"


def test_without_roots_requests_keep_to_what_was_named_at_the_start(
    roots: Path, start_server: Callable[..., Any]
) -> None:
    """The base path of the flags may be named again, and folders in it, but not the folder beside it."""
    client = start_server(roots / "scale", allow_reload_requests=True)
    (roots / "other").mkdir()
    assert _reload(client.channel, other=roots / "other")[0] == "PERMISSION_DENIED"
    (roots / "scale" / "inner").mkdir()
    assert _reload(client.channel, other=roots / "scale" / "inner")[0] == "FAILED_PRECONDITION"  # has no version
    assert _reload(client.channel)[0] == "OK"


@pytest.mark.parametrize("by_file", [False, True], ids=["flag", "file"])
def test_roots_bind_the_operator_too(roots: Path, outside: Path, tmp_path: Path, by_file: bool) -> None:
    """A base path of the flags or of the configuration file that lies outside of the roots ends the start."""
    for place in _places_outside(roots, outside):
        settings: dict[str, Any] = {"model_base_path": place}
        if by_file:
            file = tmp_path / "models.config"
            config = f'config {{ name: "other" base_path: "{place}" model_platform: "tensorflow" }}'
            file.write_text(f"model_config_list {{ {config} }}")
            settings = {"model_config_file": file}
        with pytest.raises(SettingError, match="lies outside of the folders"):
            model_configs(ModelServerSettings(base_path_roots=(roots,), **settings))
    within = ModelServerSettings(base_path_roots=(roots,), model_base_path=roots / "scale")
    assert [config.base_path for config in model_configs(within)] == [roots / "scale"]


def test_a_root_may_be_a_link_itself(roots: Path, tmp_path: Path) -> None:
    """What lies behind a root that is a link lies in the root; a link in a circle lies nowhere."""
    (tmp_path / "served").symlink_to(roots)
    BasePathRoots([tmp_path / "served"]).check("scale", roots / "scale")
    BasePathRoots([roots]).check("scale", tmp_path / "served" / "scale")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(NotAllowedError):
        BasePathRoots([roots]).check("scale", tmp_path / "circle")


def test_roots_are_separated_by_commas() -> None:
    """The flag names several folders."""
    settings = ModelServerSettings.model_validate({"model_base_path": "/a/b", "base_path_roots": "/a,/b"})
    assert settings.base_path_roots == (Path("/a"), Path("/b"))

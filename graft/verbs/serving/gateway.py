"""The verb `gateway`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import CommandError


def gateway(
    models: Annotated[
        list[str] | None, typer.Option("--model", help="A model to serve; repeat for more.  [GATEWAY_MODELS]")
    ] = None,
    model_server: Annotated[
        str | None, typer.Option(help="HOST:PORT of the model server's gRPC API.  [GATEWAY_MODEL_SERVER]")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [GATEWAY_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port for HTTP; 0 takes a free one.  [GATEWAY_PORT]")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.  [GATEWAY_WORKERS]")] = None,
    api_keys_file: Annotated[
        Path | None, typer.Option(help="The file of `graft keys`.  [GATEWAY_API_KEYS_FILE]")
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure", help="Allow requests without a key on an address other than loopback.  [GATEWAY_INSECURE]"
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; docs/gateway.md lists them."),
    ] = None,
) -> None:
    """Serve the predict API over HTTP, in front of a model server. Settings may also come from GATEWAY_* variables."""
    from gateway.observability.process_logs import silence_native_code
    from gateway.settings import Settings
    from graft.settings import make_settings

    hint = "See `graft gateway --help`; it may also be given as GATEWAY_{name}."
    named: dict[str, object] = {
        "models": models,
        "model_server": model_server,
        "host": host,
        "port": port,
        "workers": workers,
        "api_keys_file": api_keys_file,
        "insecure": insecure,
    }
    settings = make_settings(Settings, hint, **{**_read(given or []), **_only_given(named)})
    silence_native_code(settings)
    from gateway.main import main as serve

    raise SystemExit(serve(settings))


def _read(pairs: list[str]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CommandError(f"--set takes KEY=VALUE, not {pair!r}.")
        settings[name.strip()] = value.strip()
    return settings


def _only_given(named: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in named.items() if value is not None}

"""The verb `modelserver` on the command line: flags spelled as `tensorflow_model_server` spells them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from trainer.tensorflow_start import start_tensorflow

_LABELS_FLAG = "--allow_version_labels_for_unavailable_models"
_SWITCHES = {_LABELS_FLAG}

Name = Annotated[str | None, typer.Option("--model_name", help="The name that requests use.  [default: default]")]
BasePath = Annotated[Path | None, typer.Option("--model_base_path", help="The folder with the versions.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--model_config_file",
        help="A ModelServerConfig in text form, for several models; name and base path are ignored then.",
    ),
]
Labels = Annotated[
    str,
    typer.Option(_LABELS_FLAG, metavar="[=true|false]", help="Allow the file to label versions that are not loaded."),
]
Port = Annotated[int, typer.Option(help="Port for gRPC; 0 takes a free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
PollWait = Annotated[float, typer.Option("--file_system_poll_wait_seconds", help="How often to look for new versions.")]


class ServingFlags(TyperCommand):
    """A command whose switches may stand alone or with a value: `--flag`, `--flag=true`, `--flag=false`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a switch that stands alone the value it means."""
        return super().parse_args(ctx, [f"{arg}=true" if arg in _SWITCHES else arg for arg in args])


def modelserver(
    model_name: Name = None,
    model_base_path: BasePath = None,
    model_config_file: ConfigFile = None,
    allow_version_labels_for_unavailable_models: Labels = "false",
    port: Port = 8500,
    host: Host = "127.0.0.1",
    file_system_poll_wait_seconds: PollWait = 1.0,
) -> None:
    """Serve models over gRPC as TensorFlow Serving does, where that cannot run."""
    from graft.settings import make_settings
    from modelserver.model_configs import model_configs
    from modelserver.settings import ModelServerSettings

    settings = make_settings(
        ModelServerSettings,
        model_name=model_name,
        model_base_path=model_base_path,
        model_config_file=model_config_file,
        allow_version_labels_for_unavailable_models=allow_version_labels_for_unavailable_models,
        port=port,
        host=host,
        file_system_poll_wait_seconds=file_system_poll_wait_seconds,
    )
    model_configs(settings)  # a file that cannot be used is refused before TensorFlow's seconds
    start_tensorflow()
    from modelserver.server import main as serve

    raise SystemExit(serve(settings))

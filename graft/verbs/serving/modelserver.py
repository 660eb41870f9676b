"""The verb `modelserver` on the command line: flags spelled as `tensorflow_model_server` spells them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from contract.tensorflow_settings import prepare_tensorflow
from graft.verbs.serving.foreign_flags import SWITCH
from trainer.tensorflow_start import start_tensorflow

Name = Annotated[str | None, typer.Option("--model_name", help="The name that requests use.  [default: default]")]
BasePath = Annotated[Path | None, typer.Option("--model_base_path", help="The folder with the versions.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--model_config_file",
        help="A ModelServerConfig in text form, for several models; name and base path are ignored then.",
    ),
]
ConfigPoll = Annotated[
    float | None,
    typer.Option(
        "--model_config_file_poll_wait_seconds",
        help="How often to look whether that file has changed; 0 reads it once.  [default: 0]",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--allow_version_labels_for_unavailable_models",
        metavar=SWITCH,
        help="Allow labels for versions that are not loaded.  [default: false]",
    ),
]
Warmup = Annotated[
    str | None,
    typer.Option(
        "--enable_model_warmup",
        metavar=SWITCH,
        help="Replay the requests that travel with a version before it is served.  [default: true]",
    ),
]
Retries = Annotated[
    int | None,
    typer.Option("--max_num_load_retries", help="How often a version that does not load is tried again.  [default: 5]"),
]
RetryInterval = Annotated[
    int | None,
    typer.Option("--load_retry_interval_micros", help="Microseconds between these tries.  [default: 60000000]"),
]
Threads = Annotated[
    int | None,
    typer.Option("--grpc_max_threads", help="Requests that run at a time; more wait.  [default: 4 per CPU]"),
]
ChannelArguments = Annotated[
    str | None,
    typer.Option(
        "--grpc_channel_arguments",
        metavar="NAME=VALUE,...",
        help="Options of gRPC for the server, such as grpc.max_connection_age_ms=60000.  [default: none]",
    ),
]
SslFile = Annotated[
    Path | None, typer.Option("--ssl_config_file", help="An SSLConfig in text form, for TLS on the gRPC port.")
]
RestPort = Annotated[
    int | None,
    typer.Option("--rest_api_port", help="Port for metrics over HTTP; the REST API is the gateway's.  [default: none]"),
]
MonitoringFile = Annotated[
    Path | None,
    typer.Option("--monitoring_config_file", help="A MonitoringConfig in text form, which turns metrics on."),
]
MaxRows = Annotated[
    int | None,
    typer.Option("--max_rows_per_request", help="Rows in one request at most; `describe` takes one.  [default: 256]"),
]
MaxBytes = Annotated[
    int | None, typer.Option("--max_message_bytes", help="Bytes of one request at most.  [default: 48 MiB]")
]
MaxConnections = Annotated[
    int | None, typer.Option("--max_connections", help="Connections of clients at most.  [default: 1024]")
]
Reloads = Annotated[
    str | None,
    typer.Option(
        "--allow_reload_requests",
        metavar=SWITCH,
        help="Let HandleReloadConfigRequest change which models are served.  [default: false]",
    ),
]
Reflection = Annotated[
    str | None,
    typer.Option("--allow_reflection", metavar=SWITCH, help="Let the services describe themselves.  [default: false]"),
]
Roots = Annotated[
    str | None,
    typer.Option(
        "--base_path_roots",
        metavar="FOLDER,...",
        help="Folders that base paths have to lie in.  [default: for reload requests, the base paths at the start]",
    ),
]
EngineName = Literal["tensorflow", "litert", "auto"]
Engine = Annotated[
    EngineName | None,
    typer.Option(
        "--engine",
        help="What runs networks: auto takes LiteRT where a version has a network for it, unless 20 % slower.  "
        "[default: auto]",
    ),
]
IntraOp = Annotated[
    int | None,
    typer.Option(
        "--tensorflow_intra_op_parallelism",
        help="Threads that share one operation of a graph.  [default: 0, half of the CPUs; LiteRT: one]",
    ),
]
InterOp = Annotated[
    int | None,
    typer.Option(
        "--tensorflow_inter_op_parallelism",
        help="Operations of graphs, or images of LiteRT, that run at a time.  [default: 0, one per CPU]",
    ),
]
Batching = Annotated[
    str | None,
    typer.Option(
        "--enable_batching",
        metavar=SWITCH,
        help="Let requests of different clients share runs of the graph.  [default: false]",
    ),
]
BatchingFile = Annotated[
    Path | None,
    typer.Option("--batching_parameters_file", help="A BatchingParameters in text form; `graft up --tune` writes one."),
]
TuneBatching = Annotated[
    str | None,
    typer.Option(
        "--tune_batching",
        metavar=SWITCH,
        help="Measure the first version for a moment and choose the parameters by that.  [default: false]",
    ),
]
Tracing = Annotated[
    str | None,
    typer.Option(
        "--tracing",
        metavar=SWITCH,
        help="Send spans with OpenTelemetry, set by its OTEL_* variables; needs the extra tracing.  [default: false]",
    ),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option(
        "--log_level",
        help="The lowest level that is logged; libraries' lines below warning only with debug.  [default: info]",
    ),
]
LogFormat = Annotated[
    Literal["text", "json"] | None, typer.Option("--log_format", help="The format of log lines.  [default: text]")
]
Port = Annotated[int, typer.Option(help="Port for gRPC; 0 takes a free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
PollWait = Annotated[
    float, typer.Option("--file_system_poll_wait_seconds", help="How often to look for new versions; 0 looks once.")
]


def modelserver(
    ctx: typer.Context,
    model_name: Name = None,
    model_base_path: BasePath = None,
    model_config_file: ConfigFile = None,
    model_config_file_poll_wait_seconds: ConfigPoll = None,
    allow_version_labels_for_unavailable_models: Labels = None,
    port: Port = 8500,
    host: Host = "127.0.0.1",
    file_system_poll_wait_seconds: PollWait = 1.0,
    max_num_load_retries: Retries = None,
    load_retry_interval_micros: RetryInterval = None,
    enable_model_warmup: Warmup = None,
    grpc_max_threads: Threads = None,
    grpc_channel_arguments: ChannelArguments = None,
    ssl_config_file: SslFile = None,
    rest_api_port: RestPort = None,
    monitoring_config_file: MonitoringFile = None,
    max_rows_per_request: MaxRows = None,
    max_message_bytes: MaxBytes = None,
    max_connections: MaxConnections = None,
    allow_reload_requests: Reloads = None,
    allow_reflection: Reflection = None,
    base_path_roots: Roots = None,
    engine: Engine = None,
    tensorflow_intra_op_parallelism: IntraOp = None,
    tensorflow_inter_op_parallelism: InterOp = None,
    enable_batching: Batching = None,
    batching_parameters_file: BatchingFile = None,
    tune_batching: TuneBatching = None,
    tracing: Tracing = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Serve models over gRPC as TensorFlow Serving does, where that cannot run."""
    from graft.settings import make_settings
    from modelserver.settings import ModelServerSettings
    from modelserver.start_check import check_configuration

    flags = {**ctx.params, "rest_api_port": rest_api_port or None}  # 0 means no port, as in TensorFlow Serving
    settings = make_settings(ModelServerSettings, **flags)
    check_configuration(settings)
    prepare_tensorflow()
    from modelserver.server import main as serve

    raise SystemExit(serve(settings, start_tensorflow))

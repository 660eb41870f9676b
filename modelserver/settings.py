"""The settings of a model server."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class ModelServerSettings(BaseModel):
    """The settings of one model server, spelled as `tensorflow_model_server` spells its flags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str = Field(
        "default", min_length=1, description="The name that requests give in `model_spec.name`, for one model."
    )
    model_base_path: Path | None = Field(
        None, description="The folder that holds one folder per version, for one model."
    )
    model_config_file: Path | None = Field(
        None,
        description="A ModelServerConfig in text form, for several models; name and base path are ignored then.",
    )
    model_config_file_poll_wait_seconds: float = Field(
        0.0, ge=0, description="Seconds between two checks of that file for changes; 0 reads it once."
    )
    allow_version_labels_for_unavailable_models: bool = Field(
        False, description="Whether the file may label versions, although none is loaded when it is read."
    )
    host: str = Field("127.0.0.1", description="The address to listen on; only this machine by default.")
    port: int = Field(8500, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    file_system_poll_wait_seconds: float = Field(
        1.0, ge=0, description="Seconds between two checks of the base path for new versions; 0 checks once."
    )
    max_num_load_retries: int = Field(
        5, ge=0, description="How often loading a version is retried, unless its folder changes."
    )
    load_retry_interval_micros: int = Field(
        60_000_000, description="Microseconds between two retries; a negative number is 0."
    )
    enable_model_warmup: bool = Field(
        True, description="Whether a version's warm-up requests are replayed before it is served."
    )
    ssl_config_file: Path | None = Field(
        None, description="An SSLConfig in text form, for TLS on the gRPC port; plain text without it."
    )
    rest_api_port: int | None = Field(
        None, ge=0, le=65535, description="The port for metrics over HTTP; 0 takes any free one, None opens none."
    )
    monitoring_config_file: Path | None = Field(
        None, description="A MonitoringConfig in text form, which says whether that port shows metrics, and where."
    )
    grpc_channel_arguments: dict[str, int | str] = Field(
        default_factory=dict,
        description="gRPC options for the server, such as grpc.max_connection_age_ms=60000, separated by commas.",
    )
    grpc_max_threads: int = Field(
        default_factory=lambda: 4 * (os.cpu_count() or 1),
        gt=0,
        description="Requests that run in the graph at a time, 4 per CPU as in TensorFlow Serving; others wait.",
    )
    max_rows_per_request: int = Field(
        256, gt=0, description="Rows, or examples, in one request at most; the signature `describe` takes one."
    )
    max_message_bytes: int = Field(
        48 * 2**20, gt=0, le=2**31 - 1, description="Bytes of one request at most; a longer one is refused unread."
    )
    max_connections: int = Field(
        1024, gt=0, description="Connections of clients at most, fewer where there are not enough file descriptors."
    )
    allow_reload_requests: bool = Field(
        False, description="Whether requests may change which models are served; verified clients always may."
    )
    allow_reflection: bool = Field(
        False, description="Whether the services describe themselves; to verified clients they always do."
    )
    base_path_roots: tuple[Path, ...] = Field(
        (),
        description="The folders that every base path has to lie in, separated by commas; without them a reload "
        "request may only name base paths that were named at the start, or folders in these.",
    )
    engine: Literal["tensorflow", "litert", "auto"] = Field(
        "auto",
        description="What runs networks; auto takes LiteRT where a version has a network for it, unless 20 % slower.",
    )
    tensorflow_intra_op_parallelism: int = Field(
        0, ge=0, description="Threads that share one operation of a graph; 0 takes half of the CPUs, with LiteRT one."
    )
    tensorflow_inter_op_parallelism: int = Field(
        0, ge=0, description="Operations of graphs, or images with LiteRT, that run at a time; 0 takes one per CPU."
    )
    enable_batching: bool = Field(False, description="Whether requests of different clients share runs.")
    batching_parameters_file: Path | None = Field(
        None, description="A BatchingParameters in text form; TensorFlow Serving's defaults without it."
    )
    tune_batching: bool = Field(
        False, description="Whether a short measurement of the first version that is loaded chooses the parameters."
    )

    tracing: bool = Field(
        False,
        description="Whether to send spans with OpenTelemetry, set by its `OTEL_*` variables; needs extra `tracing`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged; libraries' lines below warning only with `debug`."
    )
    log_format: Literal["text", "json"] = Field("text", description="The format of log lines.")

    @field_validator("base_path_roots", mode="before")
    @classmethod
    def _roots(cls, given: object) -> object:
        return tuple(part for part in given.split(",") if part) if isinstance(given, str) else given

    @field_validator("grpc_channel_arguments", mode="before")
    @classmethod
    def _channel_arguments(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        pairs = [pair.partition("=") for pair in given.split(",") if pair]
        for name, equals, value in pairs:
            if not (name and equals and value):
                raise ValueError(f"{name + equals + value!r} is not a gRPC option; write NAME=VALUE")
        return {name: int(value) if value.removeprefix("-").isdecimal() else value for name, _, value in pairs}

    @model_validator(mode="after")
    def _parameters_need_batching(self) -> Self:
        if self.enable_batching:
            return self
        for name in ("batching_parameters_file", "tune_batching"):
            if getattr(self, name):
                raise ValueError(f"{name} is set without setting enable_batching to true")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port and self.port == self.rest_api_port:
            raise ValueError(f"port and rest_api_port are both {self.port}; gRPC and HTTP each need their own")
        return self

    @model_validator(mode="after")
    def _metrics_need_a_port(self) -> Self:
        if self.monitoring_config_file is not None and self.rest_api_port is None:
            raise ValueError("monitoring_config_file is set without rest_api_port, where metrics would be shown")
        return self

    @model_validator(mode="after")
    def _names_a_model(self) -> Self:
        if self.model_base_path is None and self.model_config_file is None:
            raise ValueError("give --model_base_path for one model, or --model_config_file for several")
        return self

"""The gateway's settings; the only place that reads the environment."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contract.image_cost.size import MAX_REQUEST_PIXELS

ENVIRONMENT_PREFIX = "GATEWAY_"

_MAX_MESSAGE_BYTES = 2**31 - 1
_MESSAGE_OVERHEAD_BYTES = 1024 * 1024

_Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]


def _split_names(value: object) -> object:
    """Return the names in a comma-separated text, without spaces; any other value unchanged."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class _WholeEnvironment(EnvSettingsSource):
    """The environment, unknown names included, so that a misspelled variable is an error and not ignored."""

    def __call__(self) -> dict[str, Any]:
        prefix = ENVIRONMENT_PREFIX.lower()
        given = {name.removeprefix(prefix): value for name, value in self.env_vars.items() if name.startswith(prefix)}
        unknown = {name: value for name, value in given.items() if name not in self.settings_cls.model_fields}
        return {**unknown, **super().__call__()}


class Settings(BaseSettings):
    """All settings; keyword arguments take precedence over `GATEWAY_*` variables, and those over defaults.

    Raises:
        pydantic.ValidationError: a value is invalid, or a name is unknown.
    """

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    model_server: str = Field("127.0.0.1:8500", min_length=1, description="HOST:PORT of the model server's gRPC API.")
    models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)] = Field(
        min_length=1, description="Names of the models to serve, the default one first; comma-separated."
    )
    max_body_bytes: int = Field(
        20 * 1024 * 1024,
        gt=0,
        description="The most bytes of a request's body; a longer one is rejected before it is read.",
    )
    max_header_bytes: int = Field(32 * 1024, gt=0, description="The most bytes of a request line and its headers.")
    header_timeout_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="How long a request's headers may take to arrive."
    )
    body_timeout_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="How long a request's body may take to arrive."
    )
    write_timeout_seconds: float = Field(
        30.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a caller may take to read a response, or a megabyte of a larger one.",
    )
    max_connections: int = Field(
        1000,
        gt=0,
        description="The most connections to a port; one more ends the one that waits for its caller for longest.",
    )
    max_held_bytes: int = Field(
        64 * 1024 * 1024,
        gt=0,
        description="The most bytes of bodies held at once, JSON counted four times; others wait.",
    )
    max_images: int = Field(64, gt=0, description="The most images, or rows of tensors, in one request.")
    max_request_pixels: int = Field(
        MAX_REQUEST_PIXELS,
        gt=0,
        description="The most pixels of all images in one request; the first one may have more.",
    )
    max_json_bytes: int = Field(
        8 * 1024 * 1024, gt=0, description="The most bytes of JSON in a body; the rest of the body may be binary."
    )
    max_json_value_bytes: int = Field(
        1_200_000,
        gt=0,
        description="The most JSON outside of strings, as bytes of one-digit numbers; long ones count less.",
    )
    max_json_depth: int = Field(
        300, gt=0, le=500, description="How deeply objects and lists may be nested in a JSON body."
    )
    max_response_message_bytes: int = Field(
        64 * 1024 * 1024,
        gt=0,
        le=_MAX_MESSAGE_BYTES,
        description="The largest response accepted from the model server.",
    )
    request_timeout_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="How long a request may take once its body has arrived."
    )
    max_in_flight: int = Field(64, gt=0, description="The most requests in flight to the model server.")
    adaptive_limit: bool = Field(
        True, description="Whether that limit goes down while requests wait, to where responses are in time."
    )
    latency_objective_seconds: float = Field(
        0.6,
        gt=0,
        allow_inf_nan=False,
        description="How long a response may take while more requests come than can be served.",
    )
    max_queued: int = Field(128, ge=0, description="The most requests that wait for a free slot.")
    queue_timeout_seconds: float = Field(
        0.2, gt=0, allow_inf_nan=False, description="How long a request waits for a slot before it is rejected."
    )
    circuit_failures: int = Field(10, gt=0, description="How many failures in a row open a model's circuit breaker.")
    circuit_open_seconds: float = Field(
        2.0,
        gt=0,
        allow_inf_nan=False,
        description="How long it stays open before one request is let through as a probe.",
    )
    poll_interval_seconds: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="How often the models' versions are polled."
    )
    shutdown_delay_seconds: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="How long /readyz is 503 after SIGTERM before connections are refused.",
    )
    api_keys_file: Path | None = Field(None, description="The file of `graft keys`; callers must send a key.")
    jwt_issuer: str | None = Field(None, min_length=1, description="The issuer of accepted bearer tokens (JWT).")
    jwt_audience: str | None = Field(None, min_length=1, description="The audience that a token must have.")
    jwt_jwks: str | None = Field(
        None, min_length=1, description="The keys that verify tokens: a JWKS file, or its https URL."
    )
    insecure: bool = Field(False, description="Whether to serve without credentials on an address other than loopback.")
    cors_origins: Annotated[tuple[_Origin, ...], NoDecode, BeforeValidator(_split_names)] = Field(
        (),
        description="Web origins whose pages may send requests (CORS); comma-separated, * for all.",
    )
    tls_certificate: Path | None = Field(None, description="A PEM file with the gateway's certificate and its chain.")
    tls_key: Path | None = Field(None, description="A PEM file with that certificate's private key.")
    model_server_ca: Path | None = Field(
        None, description="A PEM file with the certificate authorities for the model server; turns TLS on."
    )
    model_server_certificate: Path | None = Field(
        None, description="A PEM file with the gateway's certificate for the model server (mutual TLS)."
    )
    model_server_key: Path | None = Field(None, description="A PEM file with that certificate's private key.")
    operations_port: int | None = Field(
        None, ge=0, le=65535, description="A second port for /metrics and health; /metrics is then not on the first."
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that share the port.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="The format of log lines: `json`, `text`, or `auto`, which is text on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="The share of successful requests that are logged, 0 to 1.",
    )
    log_sample_others: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The share of other requests that are logged after the first 100 of the same outcome in a minute.",
    )
    tracing: bool = Field(
        False,
        description="Whether to send spans with OpenTelemetry, set by its `OTEL_*` variables; needs extra `tracing`.",
    )
    page: bool = Field(True, description="Whether `GET /` is a page to try images on.")
    drift: bool = Field(True, description="Whether images and predictions are compared with the version's reference.")
    drift_window: int = Field(500, ge=50, le=10_000, description="How many of a version's last images are compared.")
    drift_least_images: int = Field(
        200, ge=50, le=10_000, description="How many images are needed to compare; at most `drift_window`."
    )
    drift_least_psi: float = Field(
        0.1, ge=0.01, le=1.0, description="The smallest population stability index (PSI) that counts as drift."
    )

    @property
    def max_request_message_bytes(self) -> int:
        """The largest message sent to the model server.

        The two bytes `0,` of a JSON body become the eight bytes of an int64; nothing grows by more than that.
        """
        return 4 * self.max_body_bytes + _MESSAGE_OVERHEAD_BYTES

    @model_validator(mode="after")
    def _messages_fit(self) -> Self:
        """Reject bodies that could not be forwarded: a protobuf message holds at most 2 GiB."""
        if self.max_request_message_bytes > _MAX_MESSAGE_BYTES:
            most = (_MAX_MESSAGE_BYTES - _MESSAGE_OVERHEAD_BYTES) // 4
            raise ValueError(f"max_body_bytes is {self.max_body_bytes}, and a message to the model server holds {most}")
        return self

    @model_validator(mode="after")
    def _bodies_can_be_held(self) -> Self:
        """Reject a limit that no body of the permitted size would pass."""
        if 3 * self.max_held_bytes < 4 * self.max_body_bytes:
            raise ValueError(
                f"max_held_bytes is {self.max_held_bytes}; it must be at least 4/3 of max_body_bytes, which is "
                f"{self.max_body_bytes}"
            )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        """Reject one port for two purposes."""
        if self.port and self.port == self.operations_port:
            raise ValueError(f"port and operations_port are both {self.port}; give each its own")
        return self

    @model_validator(mode="after")
    def _window_holds_enough(self) -> Self:
        """Reject a window that would never have enough images."""
        if self.drift_least_images > self.drift_window:
            raise ValueError(
                f"drift_least_images is {self.drift_least_images}, and drift_window holds {self.drift_window}"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of values, in order of precedence."""
        return init_settings, _WholeEnvironment(settings_cls)

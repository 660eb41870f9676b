"""What can be set about the gateway; the only place that reads the environment."""

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

ENVIRONMENT_PREFIX = "GATEWAY_"

_MAX_MESSAGE_BYTES = 2**31 - 1
_MESSAGE_OVERHEAD_BYTES = 1024 * 1024

_Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]


def _split_names(value: object) -> object:
    """Return the names in a comma-separated text, without blanks; anything else as it is."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class _WholeEnvironment(EnvSettingsSource):
    """The environment, unknown names included, so that a misspelled variable is refused and not ignored."""

    def __call__(self) -> dict[str, Any]:
        prefix = ENVIRONMENT_PREFIX.lower()
        given = {name.removeprefix(prefix): value for name, value in self.env_vars.items() if name.startswith(prefix)}
        unknown = {name: value for name, value in given.items() if name not in self.settings_cls.model_fields}
        return {**unknown, **super().__call__()}


class Settings(BaseSettings):
    """Everything that can be set; keyword arguments win over `GATEWAY_*` variables, and those over defaults.

    Raises:
        pydantic.ValidationError: a value cannot be used, or a key is unknown.
    """

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    model_server: str = Field("127.0.0.1:8500", min_length=1, description="HOST:PORT of the model server's gRPC API.")
    models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)] = Field(
        min_length=1, description="Names of the models to serve, the default one first; comma-separated."
    )
    max_body_bytes: int = Field(
        20 * 1024 * 1024, gt=0, description="Requests with a longer body are refused before it is read."
    )
    max_header_bytes: int = Field(32 * 1024, gt=0, description="The most bytes of a request's line and headers.")
    header_timeout_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="How long a request's headers may take to arrive."
    )
    body_timeout_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="How long a request's body may take to arrive."
    )
    max_images: int = Field(64, gt=0, description="The most images in one request.")
    max_json_bytes: int = Field(
        8 * 1024 * 1024, gt=0, description="The most bytes of JSON in a body; the rest of a body may be binary."
    )
    max_json_depth: int = Field(
        300, gt=0, le=500, description="How deep objects and lists may be nested in a JSON body."
    )
    max_response_message_bytes: int = Field(
        64 * 1024 * 1024, gt=0, le=_MAX_MESSAGE_BYTES, description="The largest answer taken from the model server."
    )
    request_timeout_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="How long a request may take once its body is there."
    )
    max_in_flight: int = Field(64, gt=0, description="The most requests before the model server at a time.")
    adaptive_limit: bool = Field(
        False, description="Whether fewer are let through while the model server is slower than usual."
    )
    max_queued: int = Field(128, ge=0, description="The most requests that wait for one in flight to end.")
    queue_timeout_seconds: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="How long a request waits for that before it is refused."
    )
    circuit_failures: int = Field(
        10, gt=0, description="After so many failures in a row the model server is left alone for a while."
    )
    circuit_open_seconds: float = Field(
        2.0, gt=0, allow_inf_nan=False, description="How long that is, before one request is let through as a probe."
    )
    poll_interval_seconds: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="How long to wait between looks at the models' versions."
    )
    shutdown_delay_seconds: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="How long SIGTERM leaves /readyz at 503 before nothing is accepted."
    )
    api_keys_file: Path | None = Field(None, description="The file of `graft keys`; callers have to present a key.")
    jwt_issuer: str | None = Field(None, min_length=1, description="Who issues the bearer tokens (JWT) to accept.")
    jwt_audience: str | None = Field(None, min_length=1, description="For whom such a token has to be issued.")
    jwt_jwks: str | None = Field(
        None, min_length=1, description="The keys that prove such tokens: a JWKS file, or its https URL."
    )
    insecure: bool = Field(
        False, description="Whether everybody who can reach the host may ask, where it is not a loopback address."
    )
    cors_origins: Annotated[tuple[_Origin, ...], NoDecode, BeforeValidator(_split_names)] = Field(
        (), description="Web origins whose pages may ask, such as https://app.example; comma-separated, * for all."
    )
    tls_certificate: Path | None = Field(None, description="A PEM file with the gateway's certificate and its chain.")
    tls_key: Path | None = Field(None, description="A PEM file with that certificate's private key.")
    model_server_ca: Path | None = Field(
        None, description="A PEM file with the authorities that may vouch for the model server; switches TLS on."
    )
    model_server_certificate: Path | None = Field(
        None, description="A PEM file with the gateway's certificate for the model server (mutual TLS)."
    )
    model_server_key: Path | None = Field(None, description="A PEM file with that certificate's private key.")
    operations_port: int | None = Field(
        None, ge=0, le=65535, description="A second port for /metrics and health; then /metrics is not on the first."
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that share the port.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="How log lines look: `json`, `text`, or `auto`, which is text on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="The share of requests answered as asked that are logged, 0 to 1; others always are.",
    )
    tracing: bool = Field(
        False,
        description="Whether spans are sent by OpenTelemetry, as its `OTEL_*` variables say; needs extra `tracing`.",
    )
    drift: bool = Field(
        True, description="Whether answers are compared with the reference of the version that gave them."
    )
    drift_window: int = Field(500, ge=50, le=10_000, description="How many of the last images of a version that takes.")
    drift_least_images: int = Field(
        200, ge=50, le=10_000, description="How many of them have to be there; at most `drift_window`."
    )
    drift_least_psi: float = Field(
        0.1, ge=0.01, le=1.0, description="The least stability index (PSI) that counts as drift, however certain it is."
    )

    @property
    def max_request_message_bytes(self) -> int:
        """The largest message sent to the model server.

        A JSON body's two bytes `0,` become eight of an int64; nothing else grows by more.
        """
        return 4 * self.max_body_bytes + _MESSAGE_OVERHEAD_BYTES

    @model_validator(mode="after")
    def _messages_fit(self) -> Self:
        """Refuse bodies that could not be handed on: a protobuf message ends at 2 GiB."""
        if self.max_request_message_bytes > _MAX_MESSAGE_BYTES:
            most = (_MAX_MESSAGE_BYTES - _MESSAGE_OVERHEAD_BYTES) // 4
            raise ValueError(f"max_body_bytes is {self.max_body_bytes}, and a message to the model server holds {most}")
        return self

    @model_validator(mode="after")
    def _window_holds_enough(self) -> Self:
        """Refuse a window that would never have enough images."""
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
        """Return where values come from, the strongest first."""
        return init_settings, _WholeEnvironment(settings_cls)

"""What can be set about the gateway; the only place that reads the environment."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ENVIRONMENT_PREFIX = "GATEWAY_"


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
    max_pictures: int = Field(64, gt=0, description="The most pictures in one request.")
    request_timeout_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="How long one call to the model server may take."
    )
    poll_interval_seconds: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="How long to wait between looks at the models' versions."
    )

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

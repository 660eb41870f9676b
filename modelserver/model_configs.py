"""Which models a server serves: from the flags for one model, or from a file of TensorFlow Serving's for several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from contract.serving_messages import ModelServerConfig
from modelserver.errors import BadSettingError
from modelserver.settings import ModelServerSettings

_PLATFORM = "tensorflow"
_TENSORFLOW_TYPE = 1  # ModelType.TENSORFLOW, the older way to say the same


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the published versions are to be served: by default the newest alone."""

    newest: int | None = 1
    """How many, counted from the newest; None sets no bound."""
    only: frozenset[int] | None = None
    """The numbers that may be served; None allows all."""

    def allowed(self, published: Sequence[int]) -> list[int]:
        """Return those that may ever be served, newest first."""
        return sorted((number for number in published if self.only is None or number in self.only), reverse=True)

    def wanted(self, published: Sequence[int]) -> list[int]:
        """Return those that are to be served now, newest first."""
        return self.allowed(published)[: self.newest]


@dataclass(frozen=True)
class ModelConfig:
    """One model: its name in requests, the folder of its versions, and which of them to serve."""

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)
    """Version numbers by the label that a request may give instead."""


def model_configs(settings: ModelServerSettings) -> list[ModelConfig]:
    """Return the models of the settings: those of the file if there is one, else the one of the flags.

    Raises:
        BadSettingError: the file cannot be read or used, or it labels versions, none of which can be loaded yet,
            without the flag that allows this.
    """
    if settings.model_config_file is None:
        assert settings.model_base_path is not None  # or the settings would have been refused
        return [ModelConfig(settings.model_name, settings.model_base_path)]
    path = settings.model_config_file
    configs = _configs(_read(path), str(path))
    labelled = [config.name for config in configs if config.labels]
    if labelled and not settings.allow_version_labels_for_unavailable_models:
        raise BadSettingError(
            f"{path} labels versions of {', '.join(labelled)} before any is loaded; start the server with "
            "--allow_version_labels_for_unavailable_models=true, or take the labels out."
        )
    return configs


def _read(path: Path) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelServerConfig())
    except OSError as error:
        raise BadSettingError(f"The model configuration {path} cannot be read: {error.strerror}.") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise BadSettingError(f"{path} is no ModelServerConfig in text form: {error}") from error


def _configs(message: Any, source: str) -> list[ModelConfig]:
    given = message.model_config_list.config
    if not given:
        raise BadSettingError(f"{source} lists no model; give it a model_config_list with a config in it.")
    names = [config.name for config in given]
    for name in names:
        if names.count(name) > 1:
            raise BadSettingError(f"Illegal to list model {name} multiple times in config list")
    return [_config(config) for config in given]


def _config(given: Any) -> ModelConfig:
    """Convert one `tensorflow.serving.ModelConfig`; the texts are TensorFlow Serving's, as far as it has one."""
    name = given.name
    if not name:
        raise BadSettingError(f"The model at {given.base_path} has no name, so that no request could ask for it.")
    platform = given.model_platform or (_PLATFORM if given.model_type == _TENSORFLOW_TYPE else "")
    if not platform:
        raise BadSettingError(
            f"Illegal setting neither model_type(deprecated) nor model_platform for model {name}; "
            f'write model_platform: "{_PLATFORM}".'
        )
    if platform != _PLATFORM:
        raise BadSettingError(f"Model {name} requests unsupported platform {platform}")
    if not Path(given.base_path).is_absolute():
        raise BadSettingError(
            f"Expected model {name} to have an absolute path or URI; got base_path()={given.base_path}"
        )
    return ModelConfig(name, Path(given.base_path), _policy(given.model_version_policy), dict(given.version_labels))


def _policy(given: Any) -> VersionPolicy:
    match given.WhichOneof("policy_choice"):
        case "all":
            return VersionPolicy(newest=None)
        case "specific":
            return VersionPolicy(newest=None, only=frozenset(given.specific.versions))
        case "latest":
            return VersionPolicy(newest=max(given.latest.num_versions, 1))  # unset is 0
    return VersionPolicy()

"""Which models a server serves: by the flags for one model, by a file for several, or by a reload request."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.serving_messages import ModelServerConfig
from modelserver.errors import BadInputError, NotAllowedError, SettingError
from modelserver.settings import ModelServerSettings
from modelserver.text_files import read_text_message
from modelserver.versions.base_paths import BasePathRoots

logger = logging.getLogger(__name__)

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
        SettingError: the file cannot be read or used, or it labels versions before any can be loaded, without
            the flag that allows this.
    """
    if settings.model_config_file is None:
        assert settings.model_base_path is not None  # or the settings would have been refused
        configs = [ModelConfig(settings.model_name, settings.model_base_path)]
        _check_places(configs, settings.base_path_roots)
        return configs
    path = settings.model_config_file
    configs = configs_of_file(path, settings.base_path_roots)
    labelled = [config.name for config in configs if config.labels]
    if labelled and not settings.allow_version_labels_for_unavailable_models:
        raise SettingError(
            f"{path} labels versions of {', '.join(labelled)} before any is loaded; start the server with "
            "--allow_version_labels_for_unavailable_models=true, or take the labels out."
        )
    return configs


def configs_of_file(path: Path, roots: Sequence[Path] = ()) -> list[ModelConfig]:
    """Return the models that a ModelServerConfig in text form lists; if there are `roots`, they have to lie in these.

    Raises:
        SettingError: the file cannot be read or used.
    """
    listed = read_text_message(path, ModelServerConfig, "model configuration").model_config_list.config
    if not listed:  # also a file that is being written
        raise SettingError(f"{path} lists no model; give it a model_config_list with a config in it.")
    configs = _configs(listed, served=())
    for config in configs:
        if not config.name:
            raise SettingError(f"The model at {config.base_path} has no name, so no request could use it.")
    _check_places(configs, roots)
    return configs


def configs_of_request(message: Any, served: Collection[str]) -> list[ModelConfig]:
    """Return the models that the ModelServerConfig of a reload request lists; `served` are the names before it.

    An empty list is valid, and so is a model without a name, as in TensorFlow Serving.

    Raises:
        BadInputError: the configuration is of another kind, or cannot be used.
    """
    if message.WhichOneof("config") != "model_config_list":
        raise BadInputError(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    try:
        return _configs(message.model_config_list.config, served)
    except SettingError as error:
        raise BadInputError(str(error)) from error


def _check_places(configs: Sequence[ModelConfig], roots: Sequence[Path]) -> None:
    if not roots:
        return
    try:
        for config in configs:
            BasePathRoots(roots).check(config.name, config.base_path)
    except NotAllowedError as error:
        raise SettingError(str(error)) from error


def _configs(listed: Sequence[Any], served: Collection[str]) -> list[ModelConfig]:
    for name, times in Counter(config.name for config in listed).items():
        if times > 1:
            raise SettingError(f"Illegal to list model {name} multiple times in config list")
    return [_config(config, served) for config in listed]


def _config(given: Any, served: Collection[str]) -> ModelConfig:
    """Convert one `tensorflow.serving.ModelConfig`; the texts are TensorFlow Serving's, as far as it has one."""
    name = given.name
    platform = given.model_platform or (_PLATFORM if given.model_type == _TENSORFLOW_TYPE else "")
    if not platform:
        raise SettingError(
            f"Illegal setting neither model_type(deprecated) nor model_platform for model {name}; "
            f'write model_platform: "{_PLATFORM}".'
        )
    if platform != _PLATFORM and name in served:
        raise SettingError(
            f"Illegal to change a model's platform. For model {name} platform was {_PLATFORM} and new platform "
            f"requested is {platform}"
        )
    if platform != _PLATFORM:
        raise SettingError(f"Model {name} requests unsupported platform {platform}")
    if not Path(given.base_path).is_absolute() or "\0" in given.base_path:
        raise SettingError(f"Expected model {name} to have an absolute path or URI; got base_path()={given.base_path}")
    if given.HasField("logging_config"):
        logger.warning("logging_config of model %s is ignored: this server keeps no log of requests.", name)
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

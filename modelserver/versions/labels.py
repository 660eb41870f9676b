"""The labels that stand for versions of a model in requests."""

from collections.abc import Callable, Mapping, Sequence

from modelserver.errors import BadInputError, SettingError
from modelserver.versions.configs import ModelConfig


class VersionLabels:
    """Version numbers by model and label; changed as a whole, or not at all."""

    def __init__(self, configs: Sequence[ModelConfig]) -> None:
        self._numbers = _numbers(configs)

    def of(self, model_name: str) -> Mapping[str, int]:
        """Return the versions of a model by label."""
        return self._numbers.get(model_name, {})

    def number(self, model_name: str, label: str) -> int:
        """Return the version that has a label.

        Raises:
            BadInputError: the model has no such label, or there is no such model.
        """
        number = self.of(model_name).get(label)
        if number is None:
            raise BadInputError(f"Unrecognized servable version label: {label}")
        return number

    def replace(
        self, configs: Sequence[ModelConfig], is_served: Callable[[str, int], bool], *, allow_unavailable: bool
    ) -> None:
        """Take all labels from `configs`; those that are not in it go.

        With `allow_unavailable`, a label that is new may name a version that is not served yet; one that is in use
        never moves to such a version.

        Raises:
            SettingError: a label names a version that is not served; no label was changed.
        """
        for config in configs:
            before = self.of(config.name)
            for label, number in config.labels.items():
                may_wait = allow_unavailable and before.get(label, number) == number
                if not may_wait and not is_served(config.name, number):
                    raise SettingError(
                        f"Request to assign label to version {number} of model {config.name}, "
                        "which is not currently available for inference"
                    )
        self._numbers = _numbers(configs)


def _numbers(configs: Sequence[ModelConfig]) -> dict[str, Mapping[str, int]]:
    return {config.name: config.labels for config in configs}

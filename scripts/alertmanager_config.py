"""From Alertmanager's own configuration to an AlertmanagerConfig of the Prometheus Operator (v1alpha1)."""

import re
from pathlib import Path
from typing import Any

_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"\\]*)"')
_NAMES = {"api_url_file": "apiURL", "source_matchers": "sourceMatch", "target_matchers": "targetMatch"}
_KEPT_IN = "graft-alerts"
"""The Secret whose keys are called as the files that the configuration names."""


def alertmanager_config(configuration: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """Return the resource with the routes, receivers and inhibitions of a configuration.

    Raises:
        ValueError: the configuration has a matcher, or a part, that cannot be told in the resource.
    """
    if other := configuration.keys() - {"route", "receivers", "inhibit_rules"}:
        raise ValueError(f"An AlertmanagerConfig has no {', '.join(sorted(other))}.")
    return {
        "apiVersion": "monitoring.coreos.com/v1alpha1",
        "kind": "AlertmanagerConfig",
        "metadata": {"name": "graft", "labels": labels},
        "spec": _converted(configuration),
    }


def _converted(value: Any) -> Any:
    """Return the same with the operator's names."""
    if isinstance(value, list):
        return [_converted(each) for each in value]
    if isinstance(value, dict):
        return dict(_entry(name, each) for name, each in value.items())
    return value


def _entry(name: str, value: Any) -> tuple[str, Any]:
    operators = _NAMES.get(name) or re.sub(r"_(\w)", lambda found: found[1].upper(), name.removesuffix("_file"))
    if name.endswith("_file"):
        return operators, {"name": _KEPT_IN, "key": Path(value).name}
    if name.endswith("matchers"):
        return operators, [_matcher(text) for text in value]
    if name == "details":
        return operators, [{"key": key, "value": text} for key, text in value.items()]
    return operators, _converted(value)


def _matcher(text: str) -> dict[str, str]:
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'The matcher {text} is not written as label="value".')
    how = {} if found[2] == "=" else {"matchType": found[2]}  # equal is its default, and `=` is no text in all of YAML
    return {"name": found[1], "value": found[3], **how}

"""Writes the Kubernetes resources that are made from files of other folders: `make kubernetes-files`.

kustomize cannot wrap a file into a resource of another kind, nor read above its own folder. So the rules of
deploy/prometheus become a PrometheusRule, the routes of deploy/alertmanager an AlertmanagerConfig, and the model
server's files are copied, here; a test compares.
"""

from pathlib import Path
from typing import Any

import yaml

from scripts.alertmanager_config import alertmanager_config

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "prometheus" / "rules"
SERVING = ROOT / "deploy" / "tensorflow-serving"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
TARGET = ROOT / "deploy" / "kubernetes"

_NOTE = "# Written by `make kubernetes-files` from {source}; change that, and run it again.\n"
_LABELS = {"app.kubernetes.io/name": "graft", "release": "kube-prometheus-stack"}
"""The second one selects resources for the Prometheus of a Helm release of that name."""


def main() -> None:
    """Write every generated file."""
    for name, text in generated().items():
        (TARGET / name).write_text(text, encoding="utf-8")


def generated() -> dict[str, str]:
    """Return the text of every generated file by its path in deploy/kubernetes."""
    alertmanager = alertmanager_config(yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8")), _LABELS)
    resources = {
        "base/generated/prometheus-rule.yaml": (RULES, prometheus_rule()),
        "overlays/example/alertmanager-config.yaml": (ALERTMANAGER, alertmanager),
    }
    return {
        **{
            path: _NOTE.format(source=source.relative_to(ROOT)) + _dump(resource)
            for path, (source, resource) in resources.items()
        },
        **{f"base/generated/{file.name}": file.read_text(encoding="utf-8") for file in sorted(SERVING.iterdir())},
    }


def prometheus_rule() -> dict[str, Any]:
    """Return a PrometheusRule with the groups of every rule file, in the order of the files' names."""
    groups: list[Any] = []
    for file in sorted(RULES.glob("*.yml")):
        groups += yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    metadata = {"name": "graft", "labels": _LABELS}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups},
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what is used twice instead of naming it."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Name nothing."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _dump(resource: dict[str, Any]) -> str:
    text: str = yaml.dump(resource, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text


if __name__ == "__main__":
    main()

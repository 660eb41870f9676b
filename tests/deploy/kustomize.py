"""Resolves what deploy/kubernetes uses of kustomize: resources and patches by path; anything else is refused."""

from pathlib import Path
from typing import Any

import yaml

from tests.places import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("tensorflow-serving", "embedded")

Resource = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "resources", "patches"}
_KEYED = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}
"""Lists of a pod's template that a strategic merge patch merges by a key; others are replaced."""


def identity(resource: Resource) -> tuple[str, str]:
    """Return the kind and the name of a resource."""
    return resource["kind"], resource["metadata"]["name"]


def resolve(folder: Path) -> dict[tuple[str, str], Resource]:
    """Return the resources of a folder with a kustomization by kind and name."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization.keys() <= _KNOWN, kustomization.keys() - _KNOWN
    found: dict[tuple[str, str], Resource] = {}
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        resources = resolve(path).values() if path.is_dir() else yaml.safe_load_all(path.read_text())
        for resource in resources:
            assert identity(resource) not in found, identity(resource)
            found[identity(resource)] = resource
    for patch in kustomization.get("patches", []):
        assert patch.keys() == {"path"}, patch
        for change in yaml.safe_load_all((folder / patch["path"]).read_text()):
            found[identity(change)] = merged(found[identity(change)], change)
    return found


def merged(base: Any, change: Any, name: str = "") -> Any:
    """Return `base` as a strategic merge patch changes it."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {
            **base,
            **{key: merged(base[key], value, key) if key in base else value for key, value in change.items()},
        }
    if isinstance(change, list) and (key := _KEYED.get(name)):
        by_key = {each[key]: each for each in base}
        for each in change:
            by_key[each[key]] = merged(by_key.get(each[key], {}), each)
        return list(by_key.values())
    return change

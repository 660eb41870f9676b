"""Resolves what deploy/kubernetes uses of kustomize; anything else is refused.

That is resources, patches by path or with a target, images, and ConfigMaps whose names get a hash of what they hold.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.places import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("tensorflow-serving", "embedded", "example")

Resource = dict[str, Any]
Resources = dict[tuple[str, str], Resource]

_KNOWN = {"apiVersion", "kind", "resources", "patches", "images", "configMapGenerator"}
_KEYED = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}
"""Lists of a pod's template that a strategic merge patch merges by a key; others are replaced."""


def identity(resource: Resource) -> tuple[str, str]:
    """Return the kind and the name of a resource."""
    return resource["kind"], resource["metadata"]["name"]


def resolve(folder: Path) -> Resources:
    """Return the resources of a folder with a kustomization by kind and name; a ConfigMap has its name without hash."""
    found = _accumulated(folder)
    names = {name: each["metadata"]["name"] for (kind, name), each in found.items() if kind == "ConfigMap"}
    hashed = {name: f"{name}-{_hash(found['ConfigMap', name])}" for name in names}
    return {key: _renamed(resource, hashed) for key, resource in found.items()}


def _accumulated(folder: Path) -> Resources:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization.keys() <= _KNOWN, kustomization.keys() - _KNOWN
    found: Resources = {}
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        resources = _accumulated(path).values() if path.is_dir() else yaml.safe_load_all(path.read_text())
        for resource in resources:
            assert identity(resource) not in found, identity(resource)
            found[identity(resource)] = resource
    for generator in kustomization.get("configMapGenerator", []):
        _generate(found, generator, folder)
    for patch in kustomization.get("patches", []):
        _patch(found, patch, folder)
    for image in kustomization.get("images", []):
        _replace_image(found, image)
    return found


def _generate(found: Resources, generator: dict[str, Any], folder: Path) -> None:
    assert generator.keys() <= {"name", "behavior", "literals", "files", "options"}, generator
    data = dict(literal.split("=", 1) for literal in generator.get("literals", []))
    data |= {Path(file).name: (folder / file).read_text() for file in generator.get("files", [])}
    key = ("ConfigMap", generator["name"])
    if generator.get("behavior") == "merge":
        found[key] = {**found[key], "data": {**found[key]["data"], **data}}
        return
    assert key not in found, key
    metadata = {"name": generator["name"], "labels": generator["options"]["labels"]}
    found[key] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _patch(found: Resources, patch: dict[str, Any], folder: Path) -> None:
    if "target" not in patch:
        assert patch.keys() == {"path"}, patch
        for change in yaml.safe_load_all((folder / patch["path"]).read_text()):
            found[identity(change)] = merged(found[identity(change)], change)
        return
    assert patch["target"].keys() == {"kind"}, patch
    for key, resource in found.items():
        if re.fullmatch(patch["target"]["kind"], key[0]):
            for operation in yaml.safe_load(patch["patch"]):
                found[key] = _replaced(resource, operation)


def _replaced(resource: Resource, operation: dict[str, Any]) -> Resource:
    """Return what a JSON patch's `replace` makes of a resource."""
    assert operation["op"] == "replace", operation
    first, *rest = operation["path"].strip("/").split("/")
    value = _replaced(resource[first], {**operation, "path": "/".join(rest)}) if rest else operation["value"]
    assert first in resource, operation
    return {**resource, first: value}


def _replace_image(found: Resources, image: dict[str, str]) -> None:
    assert image.keys() == {"name", "newName", "digest"}, image
    for key, resource in found.items():
        if key[0] == "Deployment":
            for container in resource["spec"]["template"]["spec"]["containers"]:
                if container["image"].partition(":")[0] == image["name"]:
                    container["image"] = f"{image['newName']}@{image['digest']}"


def _hash(config_map: Resource) -> str:
    """Return the suffix that kustomize gives a ConfigMap: of what it holds, without vowels and what looks like one."""
    held = {"kind": "ConfigMap", "name": "", "data": config_map["data"]}
    text = json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(str.maketrans("013ae", "ghkmt"))


def _renamed(value: Any, names: dict[str, str], where: str = "") -> Any:
    """Return a resource in which every ConfigMap is called by its new name."""
    if isinstance(value, list):
        return [_renamed(each, names, where) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _renamed(each, names, key) for key, each in value.items()}
    if where in {"configMap", "configMapKeyRef"} or (where == "" and value.get("kind") == "ConfigMap"):
        holder = inner if where else inner["metadata"]
        holder["name"] = names.get(holder["name"], holder["name"])
    return inner


def merged(base: Any, change: Any, name: str = "") -> Any:
    """Return `base` as a strategic merge patch changes it."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {
            **base,
            **{key: merged(base[key], value, key) if key in base else value for key, value in change.items()},
        }
    if isinstance(change, list) and (key := _KEYED.get(name)):
        by_key = {each[key]: each for each in change}
        for each in base:
            by_key[each[key]] = merged(each, by_key[each[key]]) if each[key] in by_key else each
        return list(by_key.values())
    return change

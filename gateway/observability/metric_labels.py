"""Label values from bounded sets, whatever callers and model servers send, and the series with these labels."""

import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that makes prometheus-client keep values in files shared by several processes."""

NO_MODEL, UNKNOWN_MODEL = "none", "unknown"
NO_VERSION, OTHER = "none", "other"
MAX_VERSIONS, MAX_CLASSES, MAX_CHARACTERS = 20, 100, 80

_Metric = TypeVar("_Metric", Counter, Histogram, Gauge)


def metrics_folder() -> Path | None:
    """Return the folder that this gateway's workers share; None with a single process."""
    folder = os.environ.get(METRICS_FOLDER)
    return Path(folder) if folder else None


def shortened(text: str) -> str:
    """Return at most `MAX_CHARACTERS` of a text that comes from outside."""
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


class Children(Generic[_Metric]):
    """The series of a metric with labels; a lookup here takes a tenth of the library's time."""

    def __init__(
        self,
        kind: type[_Metric],
        name: str,
        meaning: str,
        labels: Sequence[str],
        registry: CollectorRegistry,
        **options: Any,
    ) -> None:
        self._metric: _Metric = kind(name, meaning, labels, registry=registry, **options)
        self._labels = tuple(labels)
        self._children: dict[tuple[str, ...], _Metric] = {}

    def of(self, *values: str) -> _Metric:
        """Return the series with these label values, in the order of the labels."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values)
        return child

    def forget(self, model: str, version: str) -> None:
        """Drop the series of one version of a model."""
        at = self._labels.index("model"), self._labels.index("version")
        for values in [each for each in self._children if (each[at[0]], each[at[1]]) == (model, version)]:
            del self._children[values]
            self._metric.remove(*values)


class ModelLabels:
    """The labels `model`, `version` and `class`.

    `models` are the names that may appear; any other becomes `unknown`. Each model has the 20 most recently used
    versions and the first 100 classes. With several processes no series can be dropped, so they have the first 20
    versions.
    """

    def __init__(self, models: Collection[str]) -> None:
        self._models = frozenset(models)
        self._versions: dict[str, OrderedDict[int, str]] = {}
        self._classes: dict[str, dict[str, str]] = {}
        self._forgetting: list[Callable[[str, str], None]] = []
        self._may_forget = METRICS_FOLDER not in os.environ

    def on_forgotten(self, forget: Callable[[str, str], None]) -> None:
        """Register `forget`, which is called with a model and a version when another version takes its place."""
        self._forgetting.append(forget)

    def model(self, name: str | None) -> str:
        """Return the label of the requested model; `name` is None if the request names none."""
        if name is None:
            return NO_MODEL
        return name if name in self._models else UNKNOWN_MODEL

    def configured_and_none(self) -> tuple[str, ...]:
        """Return the label of every configured model, and that of requests that name none."""
        return (*sorted(self._models), NO_MODEL)

    def version(self, model: str, version: int | None) -> str:
        """Return the label of a version of `model`, which is a label itself."""
        if version is None:
            return NO_VERSION
        seen = self._versions.get(model)
        if seen is None:
            seen = self._versions[model] = OrderedDict()
        label = seen.get(version)
        if label is not None:
            if self._may_forget:
                seen.move_to_end(version)
            return label
        if len(seen) >= MAX_VERSIONS and not self._may_forget:
            return OTHER
        return self._add(model, version, seen)

    def class_of(self, model: str, index: int, name: str) -> str:
        """Return the label of the class with this index and name; `model` is a label itself."""
        seen = self._classes.setdefault(model, {})
        label = seen.get(name)
        if label is None:
            if index >= MAX_CLASSES or len(seen) >= MAX_CLASSES:
                return OTHER
            label = seen[name] = shortened(name)
        return label

    def _add(self, model: str, version: int, seen: "OrderedDict[int, str]") -> str:
        if len(seen) >= MAX_VERSIONS:
            _, oldest = seen.popitem(last=False)
            for forget in self._forgetting:
                forget(model, oldest)
        seen[version] = str(version)
        return seen[version]

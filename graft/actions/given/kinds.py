"""What lies at a path, of all that Graft writes, and how that is said."""

import os
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import MANIFEST, published_versions, withdrawn_place
from exporter.tflite.records import BUNDLE_FILE, MobileBundle
from trainer.data.folders.walk import plain_name
from trainer.runs.record import CHECKPOINT, RECORD, list_runs, unfinished_runs

_GRAPH = "saved_model.pb"
_SHOWN = 5


class Kind(Enum):
    """What a path is."""

    NOTHING = "nothing"
    FILE = "a file"
    VERSION = "a published version"
    SAVED_MODEL = "a SavedModel without the manifest that graft export writes"
    BUNDLE = "a bundle of TFLite files"
    RUN = "a training run"
    MODEL = "a published model"
    MODELS = "a folder of published models"
    RUNS = "a folder of training runs"
    FOLDER = "a folder"


def kind_of(path: Path) -> Kind:
    """Return what lies at `path`; a folder of numbers, such as the classes of digits, is no model by that alone."""
    if not os.path.isdir(path):  # noqa: PTH112 - a name too long raises in pathlib
        return Kind.FILE if os.path.exists(path) else Kind.NOTHING  # noqa: PTH110
    markers = {
        MANIFEST: Kind.VERSION,
        _GRAPH: Kind.SAVED_MODEL,
        BUNDLE_FILE: Kind.BUNDLE,
        RECORD: Kind.RUN,
        CHECKPOINT: Kind.RUN,
    }
    if found := next((kind for name, kind in markers.items() if (path / name).exists()), None):
        return found
    if _is_model(path):
        return Kind.MODEL
    if models_in(path):
        return Kind.MODELS
    return Kind.RUNS if list_runs(path) or unfinished_runs(path) else Kind.FOLDER


def models_in(folder: Path) -> list[Path]:
    """Return the folders of the published models in `folder`, by name."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and _is_model(path))
    except OSError:
        return []


def latest_version(model: Path) -> Path:
    """Return the folder of a model's newest published version."""
    return model / str(published_versions(model)[-1])


def instead(path: Path, wanted: str, form: str) -> str:
    """Return the sentence that refuses `path` where `wanted`, such as "version", is needed, given as `form`."""
    kind = kind_of(path)
    if kind is Kind.NOTHING:
        return f"There is no {wanted} at {plain_name(path)}; {_near(path, form)}."
    return f"{plain_name(path)} is {kind.value}, but a {wanted} is needed, {form}; {_hint(path, kind)}."


def listed(paths: Sequence[Path]) -> str:
    """Return the first of the paths as words, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(plain_name(path) for path in paths[:_SHOWN]) + more


def versions_of(model: Path) -> list[Path]:
    """Return the folders of a model's published versions, the newest first."""
    return [model / str(number) for number in reversed(published_versions(model))]


def _hint(path: Path, kind: Kind) -> str:
    if kind is Kind.MODEL:
        return f"its versions are {listed(versions_of(path))}"
    if kind is Kind.MODELS:
        return f"it holds {listed([latest_version(model) for model in models_in(path)])}"
    if kind is Kind.RUN:
        return f"graft runs show {plain_name(path)} shows it, and graft export {plain_name(path)} makes a version of it"
    if kind is Kind.RUNS:
        return f"its runs are {listed([*list_runs(path), *unfinished_runs(path)])}"
    if kind is Kind.VERSION:
        return f"{_made_from(path)}; graft versions {plain_name(path.parent)} lists all versions of the model"
    if kind is Kind.BUNDLE:
        return _bundled_from(path)
    if kind is Kind.FILE and (within := _within(path)):
        return f"it belongs to {plain_name(within)}, which is {kind_of(within).value}"
    return "graft export makes versions, models/NAME/VERSION, of runs, which graft train makes"


def _near(path: Path, form: str) -> str:
    hidden = withdrawn_place(path)
    if hidden.is_dir():
        return f"that version was withdrawn, and lies at {plain_name(hidden)}"
    if versions := versions_of(path.parent):
        return f"published under {plain_name(path.parent)}: {listed(versions)}"
    inside = Path("models") / path
    if kind_of(inside) in {Kind.MODEL, Kind.VERSION}:
        return f"give {plain_name(inside)}, which is {kind_of(inside).value}"
    if models := [model for folder in (path.parent, Path("models")) for model in models_in(folder)]:
        return f"the models are {listed(list(dict.fromkeys(models)))}"
    return f"give {form}"


def _made_from(version: Path) -> str:
    try:
        return f"it was made from the run {ModelManifest.read(version / MANIFEST).run}"
    except ContractError:
        return "its manifest cannot be read"


def _bundled_from(folder: Path) -> str:
    try:
        source = MobileBundle.read(folder).source
    except ContractError:
        return "what it was made from cannot be read"
    return f"it was made from version {source.version} of {source.name}, such as models/{source.name}/{source.version}"


def _within(file: Path) -> Path | None:
    """Return the version, run or bundle that a file belongs to."""
    whole = {Kind.VERSION, Kind.SAVED_MODEL, Kind.RUN, Kind.BUNDLE}
    return next((folder for folder in _folders_above(file) if kind_of(folder) in whole), None)


def _folders_above(file: Path) -> Iterator[Path]:
    yield from list(file.absolute().parents)[:_SHOWN]


def _is_model(folder: Path) -> bool:
    return any((version / name).exists() for version in versions_of(folder) for name in (MANIFEST, _GRAPH))

"""What each version of a model says of itself: its manifest, its blessing and its files. Read without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from contract.blessing import Blessing
from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import BLESSING, MANIFEST, published_versions, withdrawn_place, withdrawn_versions
from lineage.records import WithdrawalRecord

State = Literal["newest", "published", "withdrawn"]
_GRAPH = "saved_model.pb"


@dataclass(frozen=True)
class VersionSummary:
    """One version as its own files and the lineage tell of it; None where nothing tells.

    `newest` is the one that servers load. `passed` says whether the comparisons of its blessing are within their
    bound; `largest_difference` is the largest of them. `copy_of` is the version whose content a rollback published
    again. `without_test`: no images were kept to test, so there is no accuracy. `problem` says what is wrong with the
    folder, `withdrawal` who took it back, when and why.
    """

    version: int
    state: State
    folder: Path
    size_bytes: int
    published: datetime | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    without_test: bool = False
    passed: bool | None = None
    largest_difference: float | None = None
    digest: str | None = None
    run: str | None = None
    copy_of: int | None = None
    withdrawal: WithdrawalRecord | None = None
    problem: str | None = None


def read_versions(base_path: Path) -> list[VersionSummary]:
    """Read what each version under `base_path` says of itself, by number, the withdrawn ones last.

    A version that cannot be read is there with its problem. Files are not hashed; `graft check` does that.
    """
    published = published_versions(base_path)
    found = [
        _summary(base_path / str(number), number, "newest" if number == published[-1] else "published")
        for number in published
    ]
    return found + [
        _summary(withdrawn_place(base_path / str(number)), number, "withdrawn")
        for number in withdrawn_versions(base_path)
    ]


def _summary(folder: Path, version: int, state: State) -> VersionSummary:
    problems: list[str] = []
    size = _size(folder, problems)
    manifest, blessing = _read_manifest(folder, version, problems), _read_blessing(folder, problems)
    return VersionSummary(
        version=version,
        state=state,
        folder=folder,
        size_bytes=size,
        problem=" ".join(problems) or None,
        **(_said_by_manifest(manifest) if manifest else {}),
        **(_said_by_blessing(blessing) if blessing else {}),
    )


def _size(folder: Path, problems: list[str]) -> int:
    if not (folder / _GRAPH).is_file():
        problems.append(f"There is no {_GRAPH} in it.")
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:  # it may be removed at this moment
        problems.append(f"Its files cannot be listed: {error.strerror}.")
        return 0


def _read_manifest(folder: Path, version: int, problems: list[str]) -> ModelManifest | None:
    try:
        manifest = ModelManifest.read(folder / MANIFEST)
    except ContractError as error:
        problems.append(str(error))
        return None
    if manifest.version != version:
        problems.append(f"Its manifest is that of version {manifest.version}.")
    return manifest


def _read_blessing(folder: Path, problems: list[str]) -> Blessing | None:
    if not (folder / BLESSING).exists():
        return None
    try:
        return Blessing.read(folder / BLESSING)
    except ContractError as error:
        problems.append(str(error))
        return None


def _said_by_manifest(manifest: ModelManifest) -> dict[str, Any]:
    test = manifest.metrics.get("test")
    measured = test if isinstance(test, Mapping) else {}  # metrics are free-form
    interval = measured.get("accuracy_interval")
    return {
        "digest": manifest.digest,
        "run": manifest.run,
        "accuracy": measured.get("accuracy"),
        "without_test": test is None and "validation" in manifest.metrics,
        "accuracy_interval": tuple(interval) if isinstance(interval, list) and len(interval) == 2 else None,
    }


def _said_by_blessing(blessing: Blessing) -> dict[str, Any]:
    largest, bound = blessing.largest_difference, blessing.bound
    return {
        "published": blessing.published,
        "largest_difference": largest,
        "passed": largest <= bound if largest is not None and bound is not None else None,
        "copy_of": blessing.rollback.to_version if blessing.rollback else None,
    }

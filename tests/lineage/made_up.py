"""Records for tests. The same words make the same record."""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from contract.digests import digest_of_bytes
from lineage.records import (
    BaseRecord,
    DataSetRecord,
    ExportRecord,
    ImageRecord,
    LiteFileRecord,
    PublicationRecord,
    TrainingRunRecord,
    WithdrawalRecord,
)

MORNING = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 21, 12, 30, 15, 250_000, tzinfo=UTC)
EVENING = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def digest(word: str) -> str:
    return digest_of_bytes(word.encode())


def image(path: str, split: str = "train") -> ImageRecord:
    return ImageRecord(split=split, label=PurePosixPath(path).parts[0], path=PurePosixPath(path), digest=digest(path))


def data_set(word: str = "flowers", folder: str = "/data/flowers") -> DataSetRecord:
    images = [image(f"{label}/{word}-{number}.jpg") for label in ("daisy", "rose") for number in range(2)]
    return DataSetRecord.of_images(digest(word), Path(folder), [*images, image(f"rose/{word}-9.jpg", "test")])


def base(word: str = "imagenet") -> BaseRecord:
    return BaseRecord(architecture="mobilenet_v2", source=word, digest=digest(word))


def run(name: str = "20261121-123015-flowers", **other: Any) -> TrainingRunRecord:
    values: dict[str, Any] = {
        "id": name,
        "name": "flowers",
        "started": MORNING,
        "ended": NOON,
        "folder": Path("/data/runs") / name,
        "configuration": {"seed": 1, "model": {"alpha": 0.35}, "head": {"units": [256, 128]}},
        "code_version": "0.2.0+g1a2b3c4",
        "environment": {"python": "3.11.7", "tensorflow-cpu": "2.21.0"},
        "metrics": {"test": {"accuracy": 0.8765432109876543, "images": 367}, "note": None},
        "gates": {"forgetting": {"passed": True, "kept": "phase_two"}},
        "model_digest": digest(f"model of {name}"),
        "weights_digest": digest(f"weights of {name}"),
        "data_set": data_set(),
        "base": base(),
    }
    return TrainingRunRecord(**{**values, **other})


def export(run_id: str = "20261121-123015-flowers", version: int = 1, **other: Any) -> ExportRecord:
    values: dict[str, Any] = {
        "name": "flowers",
        "version": version,
        "folder": Path("/data/models/flowers") / str(version),
        "digest": digest(f"version {version} of {run_id}"),
        "manifest_digest": digest(f"manifest {version} of {run_id}"),
        "files": {"saved_model.pb": digest("graph"), "variables/variables.index": digest("index")},
        "parity": [{"signature": "serving_default", "largest_difference": 1.1920929e-07, "images": 10}],
        "run_id": run_id,
    }
    return ExportRecord(**{**values, **other})


def lite_file(variant: str = "float16") -> LiteFileRecord:
    file = Path(f"/data/mobile/flowers-{variant}.tflite")
    return LiteFileRecord(file=file, variant=variant, digest=digest(variant), parity=[{"agreement": 0.99}])


def publication(who: str = "ada", **other: Any) -> PublicationRecord:
    return PublicationRecord(**{"who": who, "when": EVENING, "why": "the first one", **other})


def withdrawal(why: str = "mistakes tulips for roses") -> WithdrawalRecord:
    return WithdrawalRecord(who="grace", when=EVENING, why=why)

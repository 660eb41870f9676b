"""Files are hashed again, and whatever is no longer what was recorded is named."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from contract.digests import digest_of_file
from lineage.records import DataSetRecord, ExportRecord, ImageRecord, LiteFileRecord
from lineage.store import Lineage
from lineage.verification import check_everything
from tests.fakes.lineage_checks import mismatches
from tests.lineage import made_up

STRAY = os.fsdecode(b"rose/caf\xe9 \\x41.jpg")
IMAGES = ("daisy/1.jpg", "daisy/nested/1.jpg", "rose/2.jpg", STRAY)


@dataclass(frozen=True)
class World:
    """A data set, a run, a version and a TFLite file on disk, and the lineage that knows them."""

    lineage: Lineage
    root: Path
    export_id: int

    def problems(self) -> list[tuple[str, str]]:
        """Return what does not match: the kind of problem, and the path from the root."""
        found = mismatches(self.lineage)
        return sorted((mismatch.problem, str(mismatch.path.relative_to(self.root))) for mismatch in found)


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"content of {path.name!r}")
    return path


@pytest.fixture
def world(lineage: Lineage, tmp_path: Path) -> World:
    """Everything as it was recorded."""
    data, run, version = tmp_path / "data", tmp_path / "runs" / "r1", tmp_path / "models" / "flowers" / "1"
    images = [
        ImageRecord(split="train", label="x", path=PurePosixPath(name), digest=digest_of_file(write(data / name)))
        for name in IMAGES
    ]
    write(data / "notes.txt")
    model = digest_of_file(write(run / "model.keras"))
    data_set = DataSetRecord.of_images(made_up.digest("data"), data, images)
    lineage.record_run(made_up.run("r1", folder=run, model_digest=model, data_set=data_set))
    names = ("saved_model.pb", "variables/variables.index", "assets.extra/manifest.json")
    files = {name: digest_of_file(write(version / name)) for name in names}
    export: ExportRecord = made_up.export("r1", folder=version, files=files)
    export_id = lineage.record_export(export, made_up.publication())
    lite = write(tmp_path / "mobile" / "flowers.tflite")
    lineage.record_lite_file(
        export_id, LiteFileRecord(file=lite, variant="float16", digest=digest_of_file(lite), parity=[])
    )
    return World(lineage, tmp_path, export_id)


def test_what_did_not_change_matches(world: World) -> None:
    """Where nothing changed nothing is named; each folder and each file is looked at once."""
    files: list[None] = []
    checked = list(check_everything(world.lineage, on_file=lambda: files.append(None)))
    assert [(one.folder.kind, len(one.folder.files)) for one in checked] == [
        ("data set", 4),
        ("run", 1),
        ("version", 3),
        ("TFLite file", 1),
    ]
    assert [one.mismatches for one in checked] == [(), (), (), ()]
    assert len(files) == 9


@pytest.mark.parametrize(
    "name",
    [
        "data/daisy/nested/1.jpg",
        f"data/{STRAY}",
        "runs/r1/model.keras",
        "models/flowers/1/variables/variables.index",
        "models/flowers/1/assets.extra/manifest.json",
        "mobile/flowers.tflite",
    ],
)
def test_one_changed_byte_is_named(world: World, name: str) -> None:
    """A file in which one byte changed is named, with both digests, and nothing else is."""
    path = world.root / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (mismatch,) = mismatches(world.lineage)
    assert (mismatch.problem, mismatch.path) == ("changed", path)
    assert mismatch.found == digest_of_file(path)
    assert mismatch.recorded not in {None, mismatch.found}


def test_what_is_gone_is_named(world: World) -> None:
    """A missing file is named; of a missing folder the folder, not each file."""
    (world.root / "data" / "rose" / "2.jpg").unlink()
    (world.root / "runs" / "r1" / "model.keras").unlink()
    (world.root / "runs" / "r1").rmdir()
    assert world.problems() == [("missing", "data/rose/2.jpg"), ("missing", "runs/r1")]


def test_a_file_more_counts_in_a_version_only(world: World) -> None:
    """A published version may not get a file more; beside a run's model and among images other files may lie."""
    for name in ("models/flowers/1/assets/evil.txt", "runs/r1/report.html", "data/rose/new.jpg"):
        write(world.root / name)
    assert world.problems() == [("added", "models/flowers/1/assets/evil.txt")]


def test_a_image_that_became_a_folder_is_named(world: World) -> None:
    """A file in whose place something else lies is named, and keeps nothing from being checked."""
    path = world.root / "data" / "daisy" / "1.jpg"
    path.unlink()
    path.mkdir()
    (mismatch,) = mismatches(world.lineage)
    assert (mismatch.problem, mismatch.path, mismatch.found) == ("unreadable", path, "Is a directory")


def test_a_withdrawn_version_may_be_gone_but_not_changed(world: World) -> None:
    """The folder of a withdrawn version may be removed; as long as it is there it is checked."""
    version = world.root / "models" / "flowers" / "1"
    world.lineage.record_withdrawal(world.export_id, made_up.withdrawal())
    (version / "saved_model.pb").write_text("changed")
    assert world.problems() == [("changed", "models/flowers/1/saved_model.pb")]
    version.rename(world.root / "elsewhere")
    assert world.problems() == []


def test_a_version_that_was_not_withdrawn_may_not_be_gone(world: World) -> None:
    """The folder of a published version that nobody withdrew must be there."""
    (world.root / "models" / "flowers" / "1").rename(world.root / "elsewhere")
    assert world.problems() == [("missing", "models/flowers/1")]


def test_recording_goes_on_while_files_are_hashed(world: World) -> None:
    """Hashing takes long; meanwhile another can record, in SQLite too."""
    checks = check_everything(world.lineage)
    next(checks)
    world.lineage.record_run(made_up.run("meanwhile"))
    assert [checked.folder.kind for checked in checks].count("run") == 2

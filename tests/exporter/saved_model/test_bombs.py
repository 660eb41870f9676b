"""Small files of huge images: a published version refuses them from their headers, at no cost, and nothing else."""

import sys
from pathlib import Path

import pytest

from contract.manifest import ModelManifest
from contract.signatures import HEATMAP
from contract.versions import MANIFEST
from exporter.export import ExportOptions, export
from exporter.saved_model.fresh_process import fresh_process
from exporter.saved_model.loading import LoadedVersion
from exporter.saved_model.warmup import string_array
from tests.drawn.bombs import BOMBS, SIDE, gif_bomb, huge
from tests.drawn.images import encoded, gradient
from tests.exporter.conftest import Publication
from tests.exporter.measured_predictions import Measured, measure_predictions
from tests.exporter.rows import assert_same_predictions, mixed, predict_rows
from tests.exporter.runs import small_run
from trainer.progress import Progress

MOST_MEGABYTES = 100
MOST_SECONDS = 0.3
MOST_FILE_BYTES = 2_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux offers it")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A bomb of each format."""
    return {**{kind: huge(kind) for kind in BOMBS}, "GIF": gif_bomb(SIDE, SIDE)}


@pytest.fixture(scope="module")
def measured(first: Publication, files: dict[str, bytes]) -> dict[str, Measured]:
    """What the first version answers to each bomb beside an image, and what that costs it."""
    image = encoded(gradient(), "PNG")
    batches = {kind: [bomb, image] for kind, bomb in files.items()}
    with fresh_process() as process:
        return process.submit(measure_predictions, first.folder, batches, [image, image]).result()


@pytest.mark.parametrize("kind", [*BOMBS, "GIF"])
def test_bomb_is_refused_at_no_cost(
    first: Publication, files: dict[str, bytes], measured: dict[str, Measured], kind: str
) -> None:
    """A file of at most 2 MB is refused in a moment without memory for its pixels; its neighbour has its answer."""
    seen = measured[kind]
    assert len(files[kind]) < MOST_FILE_BYTES
    image = encoded(gradient(), "PNG")
    alone = predict_rows(LoadedVersion(first.folder), [image, image])
    assert_same_predictions(seen.rows, mixed(alone, [True, False]))
    assert seen.megabytes < MOST_MEGABYTES
    assert seen.seconds < MOST_SECONDS


@pytest.mark.parametrize("kind", BOMBS)
def test_small_image_that_is_made_like_a_bomb_is_answered(first: Publication, kind: str) -> None:
    """It is for their size that the bombs are refused: small files of the same making are images."""
    assert predict_rows(LoadedVersion(first.folder), [BOMBS[kind](300, 200)]).valid == [True]


LIMIT = 1500
WITHIN, BEYOND = (50, 30), (51, 30)


def assert_limited(folder: Path) -> None:
    """Every format, at the limit and one column beyond it, and what the manifest says."""
    assert ModelManifest.read(folder / MANIFEST).image_input.max_pixels == LIMIT
    version = LoadedVersion(folder)
    drawn = [[encoded(gradient(*size), kind) for kind in ("JPEG", "PNG", "BMP", "WEBP")] for size in (WITHIN, BEYOND)]
    made = [[make(*size) for make in BOMBS.values()] for size in (WITHIN, BEYOND)]
    assert predict_rows(version, drawn[0] + made[0]).valid == [True] * len(drawn[0] + made[0])
    assert predict_rows(version, drawn[1] + made[1]).valid == [False] * len(drawn[1] + made[1])


def test_limit_is_an_option_of_the_export(first: Publication, tmp_path: Path) -> None:
    """An export with a limit of its own refuses every image beyond it, also for its heatmaps, and says so."""
    assert first.exported.manifest.image_input.max_pixels > LIMIT
    assert HEATMAP not in first.exported.manifest.signatures
    exported = export(first.run, tmp_path, Progress(), ExportOptions(max_pixels=LIMIT, heatmap=True))
    assert_limited(exported.folder)
    assert HEATMAP in exported.manifest.signatures
    contents = string_array([encoded(gradient(*size), "JPEG") for size in (WITHIN, BEYOND)])
    heat = LoadedVersion(exported.folder).run({HEATMAP: ("image_bytes", contents)})[HEATMAP][HEATMAP]
    assert heat.max((1, 2)).tolist() == [1, 0]


@pytest.mark.slow  # a training and an export; the option of the export, which it becomes, is tested in every run
def test_limit_is_a_setting_of_the_run(tmp_path: Path) -> None:
    """A run that was trained with a limit hands it on to its export, which refuses every image beyond it."""
    run = small_run(tmp_path, settings={"model.max_pixels": LIMIT})
    assert_limited(export(run, tmp_path / "models", Progress()).folder)

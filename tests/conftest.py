"""What holds for all tests."""

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import launched
from tests.fakes.no_tensorflow.import_guard import refuse_tensorflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TESTS = Path(__file__).parent

WITH_TENSORFLOW = (
    "containers",
    "contract/test_serving_messages.py",
    "end_to_end",
    "exporter",
    "gateway/open_inference/test_model_server.py",
    "modelserver",
    "test_library_internals.py",
    "trainer",
)
"""What `make test-fast` leaves out."""

LONGEST_FIRST = (
    "end_to_end/test_attack.py",
    "end_to_end/training/test_architectures.py",
    "trainer/test_train.py",
    "end_to_end/test_mobile.py",
    "end_to_end/training/test_large_efficientnets.py",
    "exporter/test_refused_exports.py",
    "exporter/check/test_version_check.py",
    "docs/test_python.py",
    "trainer/training/test_resuming.py",
    "modelserver/test_process.py",
    "end_to_end/test_export_killed.py",
    "end_to_end/test_service.py",
    "trainer/training/test_base_weights.py",
    "end_to_end/test_check.py",
    "trainer/training/test_fine_tuning.py",
    "end_to_end/test_export_disk_full.py",
    "gateway/http/test_large_json.py",
    "trainer/training/test_feature_cache.py",
    "gateway/admission/test_held_bytes.py",
    "exporter/saved_model/test_bombs.py",
    "exporter/bundle/test_build.py",
    "end_to_end/test_rest_recordings.py",
    "gateway/admission/test_shutdown.py",
    "exporter/test_published_version.py",
    "gateway/observability/test_log_output.py",
    "gateway/predict/test_version_not_known.py",
    "modelserver/engines/test_selection.py",
    "gateway/backend/test_server_threads.py",
    "end_to_end/training/test_flowers.py",
    "benchmarks/serving/test_phases.py",
    "exporter/bundle/test_int8_fallbacks.py",
    "exporter/tflite/test_litert_network.py",
    "gateway/http/wire/test_slow_callers.py",
    "exporter/proof/test_expectations.py",
    "trainer/models/test_hub.py",
    "modelserver/engines/graphs/test_no_rows.py",
    "lineage/test_writers.py",
    "end_to_end/training/test_flowers_preprocessing.py",
    "end_to_end/test_drift_simulation.py",
)
"""A worker takes a file at a time, so that both end together; those that need the same model do not begin together."""

# a lineage that a developer keeps must never hear of what tests train
os.environ.pop("GRAFT_LINEAGE_URL", None)

# tests start dozens of processes with TensorFlow; see tests/preloaded.py. The server starts when it is first needed
multiprocessing.set_start_method("forkserver")
multiprocessing.set_forkserver_preload(["tests.preloaded"])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make test-fast`."""
    parser.addoption("--fast", action="store_true", help="only tests without TensorFlow; importing it is an error")


def pytest_configure(config: pytest.Config) -> None:
    """With --fast, refuse TensorFlow in this process and in all that it starts."""
    if config.getoption("--fast"):
        refuse_tensorflow()
        kept = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(TESTS / "fakes" / "no_tensorflow"), kept)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, leave out what needs TensorFlow."""
    if config.getoption("--fast") and collection_path.is_relative_to(TESTS):
        inside = collection_path.relative_to(TESTS)
        return True if any(inside.is_relative_to(place) for place in WITH_TENSORFLOW) else None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""
    turns = {TESTS / name: turn for turn, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: turns.get(item.path, len(turns)))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this test session share; see tests/sharing.py."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser without a window; tests that need it skip where there is none."""
    with launched() as found:
        yield found

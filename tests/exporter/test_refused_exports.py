"""An export that is not proved is not published: no version, and nothing left behind."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import OperationError, ParityError
from exporter.export import export
from exporter.proof.rounding import LARGEST_BOUND
from tests.exporter.broken_writers import (
    write_what_only_python_loads,
    write_with_a_newer_operation,
    write_with_a_weight_off,
    write_with_another_channel_order,
    write_with_other_weights,
    write_without_antialias,
)
from tests.exporter.failing_writer import write_and_fail
from tests.exporter.runs import small_run
from trainer.progress import Progress
from trainer.runs.trained_model import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a small network."""
    return small_run(tmp_path_factory.mktemp("gates"))


@pytest.fixture(scope="module")
def refused(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., Any]], str]:
    """What is told of a run that a writer of another model writes: each exports once, and leaves nothing."""

    @functools.cache
    def export_with(write: Callable[..., Any]) -> str:
        models = tmp_path_factory.mktemp("models")
        with pytest.raises(ParityError) as caught:
            export(run, models, Progress(), write=write)
        assert_nothing_visible(models)
        return str(caught.value)

    return export_with


def assert_nothing_visible(models: Path) -> None:
    assert list((models / "colours").iterdir()) == []


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_with_other_weights, r"^Loaded by Python, serving_default differs from the trained model by .* on \d\d-"),
        (write_what_only_python_loads, r"^Loaded as TensorFlow Serving does, the model fails \(.*\); nothing was"),
    ],
)
def test_model_that_answers_otherwise_is_not_published(
    refused: Callable[[Callable[..., Any]], str], write: Callable[..., Any], message: str
) -> None:
    """Other weights, or a model that only Python loads, are refused in one line, and leave nothing."""
    told = refused(write)
    assert re.search(message, told)
    assert "\n" not in told


@pytest.mark.parametrize("write", [write_with_other_weights, write_with_a_weight_off])
def test_weights_that_are_off_move_more_than_any_noise_lets_through(
    refused: Callable[[Callable[..., Any]], str], write: Callable[..., Any]
) -> None:
    """A weight or bias off by a thousandth moves a probability by more than the ceiling of all bounds."""
    found = re.search(r"differs from the trained model by (\S+) on", refused(write))
    assert found is not None, refused(write)
    assert float(found[1]) > LARGEST_BOUND


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_with_another_channel_order, r"the model calls \S+ '\w+', not '\w+'|differs from"),
        (write_without_antialias, "has a brightness of|pixels_of_image makes other pixels of"),
    ],
)
def test_other_preprocessing_is_not_published(
    run: Run, tmp_path: Path, write: Callable[..., Any], message: str
) -> None:
    """Red for blue changes labels, and a resize without antialias pixels, which no noise of the network excuses."""
    with pytest.raises(ParityError, match=f"^Loaded by Python, .*({message})"):
        export(run, tmp_path, Progress(), write=write)
    assert_nothing_visible(tmp_path)


def test_graph_that_serving_cannot_run_is_not_published(run: Run, tmp_path: Path) -> None:
    """An operation that TensorFlow 2.18 does not have is refused with its name, and nothing is left."""
    with pytest.raises(OperationError, match=r"^TensorFlow Serving 2\.18 cannot run .* DecodeWebP; nothing was"):
        export(run, tmp_path, Progress(), write=write_with_a_newer_operation)
    assert_nothing_visible(tmp_path)


def test_writer_that_fails_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """An error of the writing process comes through as it was, and what it had written is removed."""
    with pytest.raises(OSError, match="the disk is full"):
        export(run, tmp_path, Progress(), write=write_and_fail)
    assert_nothing_visible(tmp_path)

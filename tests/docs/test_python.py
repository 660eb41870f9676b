"""What docs/python.md shows: its examples run, in their order, on drawn images."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.drawn.images import write_classes
from tests.places import ROOT

PAGE = ROOT / "docs" / "python.md"
FACTS = """
import json
print(json.dumps({
    "run": str(run.folder),
    "labels": run.record.labels,
    "version": str(version.folder),
    "served": [prediction.label, prediction.probability, list(prediction.probabilities.items())],
    "many": [each and each.label for each in predictions],
    "model": [repr(model), model.labels, model.manifest.run],
}))
"""


def examples() -> list[str]:
    """Return the blocks of Python of the page, in their order."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the page from top to bottom beside a folder of 2 classes x 6 images, and return what its names hold."""
    folder = tmp_path_factory.mktemp("notebook")
    write_classes(folder / "photos", per_class=6, classes=("blue", "red"))
    code = "\n".join([*examples(), FACTS])
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    facts: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return {**facts, "folder": folder}


def test_the_page_has_an_example_of_each_function() -> None:
    """Training, exporting and loading are shown."""
    code = "\n".join(examples())
    assert [name for name in ("graft.train(", "graft.export(", "graft.load(") if name not in code] == []


def test_train_returns_the_run(shown: dict[str, Any]) -> None:
    """`train` saves a run under `runs` and returns it."""
    assert shown["labels"] == ["blue", "red"]
    assert (shown["folder"] / shown["run"] / "report.html").is_file()


def test_export_returns_the_version(shown: dict[str, Any]) -> None:
    """`export` publishes the run as the first version of its model."""
    assert shown["version"] == "models/colours/1"
    assert (shown["folder"] / "models/colours/1/saved_model.pb").is_file()


def test_load_predicts(shown: dict[str, Any]) -> None:
    """`load` takes the newest version, and predicts a label with the probabilities of all, best first."""
    label, probability, probabilities = shown["served"]
    assert [label, probability] == probabilities[0]
    assert {name for name, _ in probabilities} == {"blue", "red"}
    assert probability == max(value for _, value in probabilities)
    assert sum(value for _, value in probabilities) == pytest.approx(1, abs=1e-5)
    assert shown["model"][0] == "<colours version 1 of models/colours/1>"
    assert shown["model"][2] == Path(shown["run"]).name


def test_a_refused_image_hurts_no_other(shown: dict[str, Any]) -> None:
    """Bytes that are not an image are None among the predictions of the others."""
    first, second, refused = shown["many"]
    assert {first, second} <= {"blue", "red"}
    assert refused is None

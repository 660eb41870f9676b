"""The wheel as a user gets it: installed in an empty environment, it trains, exports and serves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.drawn.images import write_classes
from tests.packaging.built_wheel import build_wheel
from tests.places import ROOT

pytestmark = pytest.mark.slow  # downloads and installs TensorFlow

EXTRAS = "exporter,gateway,modelserver"
TRAINED = (
    *("--name", "colours", "--weights", "none", "--alpha", "0.35", "--image-size", "32"),
    *("--set", "phase_one.epochs=1", "--set", "data.validation_share=0.25", "--set", "data.test_share=0.25"),
)


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder with nothing of the repository in it."""

    bin: Path
    folder: Path

    def environment(self) -> dict[str, str]:
        """Return an environment in which nothing of the repository can be imported."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GRAFT_"))}
        return kept | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    def must(self, *command: str) -> str:
        """Run a command that must succeed in the folder, and return what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=1100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Make an empty environment and install the wheel in it, with the versions of constraints.txt."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build_wheel(folder, isolated=True)
    found = Installed(folder / "venv" / "bin", folder / "work")
    found.folder.mkdir()
    found.must(sys.executable, "-m", "venv", str(folder / "venv"))
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    found.must(str(found.bin / "pip"), "install", "--quiet", *constraints, f"{wheel}[{EXTRAS}]")
    return found


@pytest.fixture(scope="module")
def published(installed: Installed) -> Installed:
    """Train on 2 classes x 4 drawn images at 32 pixels, and export the run."""
    write_classes(installed.folder / "photos", per_class=4, classes=("blue", "red"))
    installed.must("graft", "train", "photos", *TRAINED)
    installed.must("graft", "export", "latest")
    return installed


@pytest.fixture
def service(published: Installed) -> Iterator[str]:
    """Serve the published version, and return where."""
    process = subprocess.Popen(
        ["graft", "up", "--port", "0"],
        executable=published.bin / "graft",
        cwd=published.folder,
        env=published.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(line for line in lines if line.startswith("Serving at ")).split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_command_is_the_wheels(installed: Installed) -> None:
    """`graft --help` works, and what it runs lies in the empty environment."""
    assert "Usage: graft" in installed.must("graft", "--help")
    place = installed.must("python", "-c", "import graft, sys; print(graft.__file__, 'tensorflow' in sys.modules)")
    assert place.startswith(str(installed.bin.parent))
    assert place.split()[-1] == "False"


def test_a_version_is_published(published: Installed) -> None:
    """`graft train` and `graft export` end with a version, and Python loads it."""
    assert (published.folder / "models" / "colours" / "1" / "saved_model.pb").is_file()
    code = "import graft; print(graft.load('models/colours').predict('photos/red/00.jpg').label)"
    assert published.must("python", "-c", code).split()[-1] in {"blue", "red"}


def test_a_version_is_served(published: Installed, service: str) -> None:
    """`graft up` responds to an image with one of the labels."""
    content = (published.folder / "photos" / "red" / "00.jpg").read_bytes()
    with httpx.Client(base_url=service, timeout=60, trust_env=False) as client:
        response = client.post("/v1/predict", content=content, headers={"content-type": "image/jpeg"})
        assert response.status_code == 200
        (predicted,) = response.json()["predictions"]
        assert predicted["label"] in {"blue", "red"}
        assert client.get("/openapi.json").json()["info"]["version"] == "0.1.0"
    assert predicted["label"] in published.must("graft", "predict", "photos/red/00.jpg", "--url", service)

"""The weights that a run is to start with, before TensorFlow starts: missing, damaged, of another network, how wide."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.fakes.runs import write_run
from tests.places import DATA
from trainer.config import ModelSettings, TrainingConfig, read_config
from trainer.errors import WeightsError
from trainer.models.weights_file import read_weights_file
from trainer.weights_source import with_width_of_weights

PUBLISHED = DATA / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
ENDS_AT_ONE_HALF = ((16, 8), (48, 16), (96, 16), (96, 32), (192, 48), (288, 80), (480, 160))
"""Channels before and behind the last layer of each block of MobileNetV2 at alpha 0.5."""


def write_weights(
    file: Path, layer: str = "block_1_project", ends: tuple[tuple[int, int], ...] = ENDS_AT_ONE_HALF
) -> Path:
    """Write a file with the kernels that tell how wide a MobileNetV2 is."""
    with h5py.File(file, "w") as content:
        for number, (before, behind) in enumerate(ends):
            content[f"{layer}/{number}/kernel:0"] = np.zeros((1, 1, before, behind), np.float32)
        content["Conv_1/kernel:0"] = np.zeros((1, 1, 160, 1280), np.float32)
    return file


def found(weights: str | Path, runs: Path = Path("runs"), **settings: object) -> ModelSettings:
    return with_width_of_weights(ModelSettings(weights=str(weights), **settings), runs)


def error_of(weights: str | Path, runs: Path = Path("runs"), **settings: object) -> str:
    with pytest.raises(WeightsError) as caught:
        found(weights, runs, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_alpha_is_read_off_the_file(tmp_path: Path) -> None:
    """The width of a file's network need not be typed; one that is typed and right is kept."""
    file = write_weights(tmp_path / "some.h5")
    assert found(file).alpha == 0.5
    assert found(file, alpha=0.5).alpha == 0.5


def test_alpha_is_read_off_the_published_file() -> None:
    """Keras's own file of alpha 0.35 says so by its kernels, under any name."""
    if not PUBLISHED.is_file():
        pytest.skip(f"there are no published weights at {PUBLISHED}; GRAFT_DATA says where their parent is")
    assert read_weights_file(PUBLISHED).alphas("mobilenet_v2", (0.35, 0.5, 1.0)) == [0.35]
    assert found(PUBLISHED).width == 0.35


def test_alpha_is_read_off_the_run(tmp_path: Path) -> None:
    """The width of a run's base need not be typed either."""
    write_run(tmp_path, "r1", [True], read_config(None, {"model.alpha": 0.35}))
    assert found("r1", tmp_path).alpha == 0.35
    assert error_of("r1", tmp_path, alpha=1.0) == (
        "The run r1 is of alpha 0.35, and alpha 1.0 was given; leave --alpha out, or give other weights."
    )


def test_a_contradicting_alpha_is_refused(tmp_path: Path) -> None:
    """A width that the file does not have is refused with the one that it has."""
    file = write_weights(tmp_path / "some.h5")
    assert error_of(file, alpha=1.0) == (
        f"The weights file {file} is of alpha 0.5, and alpha 1.0 was given; leave --alpha out, or give other weights."
    )


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    """A file whose layers are those of another family, and a run of another architecture, are refused by their name."""
    file = write_weights(tmp_path / "some.h5")
    assert f"{file} is of MobileNetV2, not of resnet50; give its --architecture" in error_of(
        file, architecture="resnet50"
    )
    resnet = write_weights(tmp_path / "resnet.h5", layer="conv2_block1_1_conv")
    assert f"{resnet} is of a ResNet, not of mobilenet_v2;" in error_of(resnet)
    write_run(tmp_path, "r1", [True], TrainingConfig())
    assert "The run r1 is of mobilenet_v2, not of resnet50; give --architecture mobilenet_v2" in error_of(
        "r1", tmp_path, architecture="resnet50"
    )


@pytest.mark.parametrize("name", ["nowhere.h5", "weights/nowhere", "a/b.keras"])
def test_a_missing_file_is_said_to_be_missing(name: str) -> None:
    """A path where nothing is is refused with the place that was looked at."""
    assert error_of(name) == (
        f"The weights file {name} is missing: there is no file {Path(name).absolute()}; give the path of an .h5 file, "
        "a run of runs, imagenet or none."
    )


def test_a_folder_is_not_weights(tmp_path: Path) -> None:
    """A folder that is no run is refused as one."""
    assert "is a folder, but neither a weights file nor a finished run" in error_of(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A file that was cut, is empty, is text, or holds other numbers is refused before any network is built."""
    whole = write_weights(tmp_path / "some.h5").read_bytes()
    for name, content in {
        "cut.h5": whole[:1000],
        "empty.h5": b"",
        "text.h5": b"not weights",
        "zip.keras": b"PK",
    }.items():
        (tmp_path / name).write_bytes(content)
        said = error_of(tmp_path / name)
        assert said.startswith(f"The weights file {tmp_path / name} is damaged or not a Keras weights file (")
        assert said.endswith(f"of which {len(content):,} bytes are here.")
    with h5py.File(tmp_path / "table.h5", "w") as table:
        table["numbers"] = np.zeros(3)
    assert "table.h5 holds no convolutions" in error_of(tmp_path / "table.h5")


def test_missing_imagenet_weights_are_said_to_be_missing(tmp_path: Path) -> None:
    """Weights that are neither in Keras's folder nor to be downloaded are named, and no TensorFlow starts for that."""
    code = """
import sys
from pathlib import Path
from trainer.config import ModelSettings
from trainer.errors import WeightsError
from trainer.weights_source import with_width_of_weights
for name in ("mobilenet_v2", "mobilenet_v3_small", "resnet50_v2", "efficientnet_b3", "inception_v3"):
    try:
        with_width_of_weights(ModelSettings(architecture=name), Path("runs"))
    except WeightsError as error:
        print(error)
print("TENSORFLOW" if "tensorflow" in sys.modules else "LIGHT")
"""
    environment = {"KERAS_HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *lines, light = done.stdout.splitlines()
    assert light == "LIGHT"
    assert len(lines) == 5
    for line, file in zip(
        lines,
        (
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "efficientnetb3_notop.h5",
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        strict=True,
    ):
        assert f", {file}, are missing: they are not in {tmp_path}/models and cannot be downloaded here (" in line

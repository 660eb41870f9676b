"""Where the weights of a base come from, and what is said when they do not fit."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contract.manifest import BaseWeights
from tests.places import DATA, ROOT
from tests.trainer.conftest import Trained, smallest_config
from trainer.config import ModelSettings
from trainer.errors import ConfigurationError, WeightsError
from trainer.models.architectures import BASE
from trainer.models.base import batch_norms, build_base, copy_base_weights, split_tensor
from trainer.training.base_weights import prepare_base

PUBLISHED = DATA / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


def settings(weights: str, alpha: float = 0.1) -> ModelSettings:
    return smallest_config(model={"weights": weights, "alpha": alpha}).model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A base with random weights, and the file that it was saved to."""
    base = build_base(settings("none"))
    file = tmp_path_factory.mktemp("weights") / "base.weights.h5"
    base.save_weights(file)
    return base, file


def assert_same_weights(one: Any, other: Any) -> None:
    for mine, its in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_weights_come_from_a_file(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """A weights file fills the base; its name and the digest of the weights are recorded."""
    expected, file = saved
    base, weights = prepare_base(settings(str(file)), tmp_path)
    assert_same_weights(base, expected)
    assert weights.source == "base.weights.h5"
    assert weights.digest is not None


def test_weights_come_from_a_run(from_scratch: Trained) -> None:
    """A run's id fills the base with what the run had learned, BatchNorm's averages included."""
    base, weights = prepare_base(settings(from_scratch.run.record.id), from_scratch.runs)
    assert_same_weights(base, from_scratch.run.load_model().get_layer(BASE))
    assert weights.source == f"run:{from_scratch.run.record.id}"


def test_no_weights_let_batch_norm_follow_quickly(tmp_path: Path) -> None:
    """From scratch nothing is recorded as source, and BatchNorm's averages follow within a small data set."""
    base, weights = prepare_base(settings("none"), tmp_path)
    assert weights == BaseWeights(source="none", digest=None)
    assert {layer.momentum for layer in batch_norms(base)} == {0.9}


def test_file_of_another_width_is_refused(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """A weights file of another alpha is refused in one line with what to check."""
    with pytest.raises(
        WeightsError, match=r"base\.weights\.h5 does not fit the base .* check .*model\.alpha"
    ) as caught:
        prepare_base(settings(str(saved[1]), alpha=0.5), tmp_path)
    assert "\n" not in str(caught.value)


def test_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    """A file that is not a weights file is refused with its path."""
    file = tmp_path / "notes.h5"
    file.write_text("not weights")
    with pytest.raises(WeightsError, match=r"notes\.h5 does not fit the base"):
        prepare_base(settings(str(file)), tmp_path)


def test_file_of_weights_that_are_no_numbers_is_refused(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """A weight that is NaN is found before anything is learned on it: activations may hide it from the loss."""
    base, _ = prepare_base(settings(str(saved[1])), tmp_path)
    weights = base.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    base.set_weights(weights)
    base.save_weights(tmp_path / "broken.weights.h5")
    with pytest.raises(WeightsError, match=r"^The weights of broken\.weights\.h5 hold NaN or infinite values; give"):
        prepare_base(settings(str(tmp_path / "broken.weights.h5")), tmp_path)


def test_run_of_another_width_is_refused(from_scratch: Trained) -> None:
    """A run whose base has another alpha is refused with what to use instead."""
    with pytest.raises(WeightsError, match=r"The run's base does not fit; use the run's own .*model\.alpha"):
        prepare_base(settings(from_scratch.run.record.id, alpha=0.5), from_scratch.runs)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    """A name that is neither a file nor a run is refused with all that could have been given."""
    with pytest.raises(
        WeightsError, match=r"^There are no weights 'none\.h5': give imagenet, none, a weights file \(\.h5\), or"
    ):
        prepare_base(settings("none.h5"), tmp_path)


def test_imagenet_weights_of_an_unpublished_width_are_refused(tmp_path: Path) -> None:
    """ImageNet weights are refused for an alpha that was never published, with those that were."""
    with pytest.raises(ConfigurationError, match=r"no ImageNet weights .* for alpha 0\.1; there are for 0\.35, 0\.5"):
        prepare_base(settings("imagenet"), tmp_path)


def test_published_weights_file_fits(tmp_path: Path) -> None:
    """Keras's published file of alpha 0.35 fills the base at another image size."""
    if not PUBLISHED.is_file():
        pytest.skip(f"there are no published weights at {PUBLISHED}; GRAFT_DATA says where their parent is")
    base, weights = prepare_base(settings(str(PUBLISHED), alpha=0.35), tmp_path)
    assert weights.source == PUBLISHED.name
    means = [layer.get_weights()[2] for layer in batch_norms(base)]
    assert all(np.abs(mean).max() > 1e-3 for mean in means)  # trained statistics, not zeros


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with what Keras itself builds of EfficientNetB0 for "imagenet", and what our error said there."""
    folder = tmp_path_factory.mktemp("offline")
    nowhere = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.trainer.imagenet_graph", str(folder)],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout.splitlines()[-1]


def test_efficientnet_from_a_file_is_the_network_from_imagenet(offline: tuple[Path, str], tmp_path: Path) -> None:
    """A published file of EfficientNet fills the network that Keras builds for "imagenet", input scale included."""
    folder, _ = offline
    expected = json.loads((folder / "graph.json").read_text())
    file = str(folder / "published_notop.h5")
    model = ModelSettings(architecture="efficientnet_b0", weights=file, image_size=32)
    base, _ = prepare_base(model, tmp_path)
    assert [type(layer).__name__ for layer in base.layers] == expected["layers"]
    assert [list(weight.shape) for weight in base.weights] == expected["weights"]
    predictions = np.load(folder / "answers.npz")
    behind_scaling = len(base.layers) - [layer.name for layer in base.layers].index("stem_conv_pad")
    scaled = keras.Model(base.input, split_tensor(base, behind_scaling))(predictions["pixels"])
    np.testing.assert_allclose(scaled, predictions["scaled"], rtol=0, atol=1e-6)
    assert float(np.ptp(predictions["features"], axis=0).max()) > 1e-2
    largest = float(np.abs(predictions["features"]).max())  # the other process may add in another order: oneDNN or not
    np.testing.assert_allclose(
        base(predictions["pixels"], training=False), predictions["features"], rtol=0, atol=largest / 100
    )


def test_weights_that_cannot_be_downloaded_are_named(offline: tuple[Path, str]) -> None:
    """Without a network, ImageNet weights are refused in one line that says what to give instead."""
    assert offline[1].startswith("WeightsError: The ImageNet weights cannot be downloaded here; give a weights file")


def test_weights_from_a_run_include_the_normalisation_of_pixels() -> None:
    """EfficientNet's base copied out of a run scales pixels as the run's does."""
    model = ModelSettings(architecture="efficientnet_b0", weights="none", image_size=32)
    donor_base, base = build_base(model), build_base(model)
    normalisation = next(layer for layer in donor_base.layers if isinstance(layer, keras.layers.Normalization))
    normalisation.set_weights([np.array([0.5, 0.4, 0.3]), np.array([0.1, 0.2, 0.3]), np.array(1)])
    normalisation.finalize_state()
    images = keras.Input((32, 32, 3))
    copy_base_weights(base, keras.Model(images, donor_base(images)))
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(base(pixels, training=False), donor_base(pixels, training=False))

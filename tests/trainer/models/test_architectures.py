"""The table of architectures: what it fills in, what it refuses, and what it says of pixels."""

import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest

from trainer.config import TrainingConfig, read_config
from trainer.data.preprocessing import scale_pixels
from trainer.errors import ConfigurationError
from trainer.models.architectures import ARCHITECTURES, image_input_of
from trainer.models.base import batch_norms, block_split_points, build_base, dropouts, split_points, split_tensor
from trainer.models.defaults import fill_in

_KERAS_MODULES = {
    "mobilenet_v2": keras.applications.mobilenet_v2,
    "mobilenet_v3_small": keras.applications.mobilenet_v3,
    "mobilenet_v3_large": keras.applications.mobilenet_v3,
    "resnet50": keras.applications.resnet,
    "resnet101": keras.applications.resnet,
    "resnet50_v2": keras.applications.resnet_v2,
    "inception_v3": keras.applications.inception_v3,
}


def config(architecture: str, **model: Any) -> TrainingConfig:
    values = {f"model.{key}": value for key, value in model.items()}
    return read_config(None, {"model.architecture": architecture} | values)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pixels_become_what_keras_makes_of_them(name: str) -> None:
    """The declared preprocessing of each family equals Keras's own, on every value of a pixel."""
    pixels = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    keras_module = _KERAS_MODULES.get(name, keras.applications.efficientnet)
    expected = keras_module.preprocess_input(pixels.astype(np.float32))
    ours = scale_pixels(pixels, image_input_of(config(name).model)).numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_size_and_layers_to_unfreeze_are_filled_in(name: str) -> None:
    """Settings that say nothing get the row's image size and layers, and the declared input has that size."""
    filled = fill_in(config(name))
    row = ARCHITECTURES[name]
    assert (filled.model.image_size, filled.phase_two.unfreeze) == (row.image_size, (row.unfreeze,))
    assert image_input_of(filled.model).height == row.image_size


def test_what_was_said_is_kept() -> None:
    """A given size, given layers and the resize kernel are not overruled."""
    said = {"image_size": 96, "alpha": 0.6, "antialias": False, "weights": "none"}
    given = read_config(None, {"phase_two.unfreeze": [3, 11], "model": said})
    filled = fill_in(given)
    assert filled == given
    assert not image_input_of(filled.model).antialias


def test_unknown_architecture_is_refused_before_tensorflow_loads() -> None:
    """A misspelled name is refused with the nearest one, in a process that never imported TensorFlow or Keras."""
    script = (
        "import sys\n"
        "from trainer.models.defaults import fill_in\n"
        "from trainer.config import read_config\n"
        "try: fill_in(read_config(None, {'model.architecture': 'mobilnet_v2'}))\n"
        "except Exception as error: print(error)\n"
        "print(sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    message, loaded = done.stdout.splitlines()
    assert message.startswith("There is no architecture 'mobilnet_v2'; the nearest is 'mobilenet_v2'.")
    assert loaded == "[]"


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "inception_v3", "hub:resnet_50_imagenet"])
def test_width_is_refused_where_there_is_none(name: str) -> None:
    """Another alpha than 1 is refused for a network without a width multiplier, even with random weights."""
    with pytest.raises(ConfigurationError, match=rf"^{name} has no width multiplier; model\.alpha is 0\.5"):
        fill_in(config(name, alpha=0.5, weights="none"))


def test_unpublished_width_is_refused_early() -> None:
    """ImageNet weights that do not exist are refused when the settings are filled in; without weights it may be."""
    with pytest.raises(ConfigurationError, match=r"mobilenet_v3_small for alpha 0\.35; there are for 0\.75, 1\.0\.$"):
        fill_in(config("mobilenet_v3_small", alpha=0.35))
    assert fill_in(config("mobilenet_v3_small", alpha=0.35, weights="none")).model.alpha == 0.35


def test_too_small_images_are_refused() -> None:
    """A size below what the network can take is refused with the smallest."""
    with pytest.raises(ConfigurationError, match=r"inception_v3 takes images of at least 75 pixels; .* is 64\.$"):
        fill_in(config("inception_v3", image_size=64))


def residual_base() -> Any:
    """A stem, a residual block with an inner network, and a last convolution: 8 layers."""
    images = keras.Input((8, 8, 3))
    stem = keras.layers.Conv2D(4, 1, name="stem")(images)
    inside = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)], name="inner")
    branch = inside(keras.layers.Conv2D(4, 1, name="branch")(stem))
    joined = keras.layers.ReLU(name="out")(keras.layers.Add(name="add")([stem, branch]))
    return keras.Model(images, keras.layers.Conv2D(2, 1, name="last")(joined))


def test_split_points_are_where_a_single_tensor_passes() -> None:
    """There is no split point beside a parallel branch; all others are found, up to the input."""
    base = residual_base()
    assert [layer.name for layer in base.layers][1:] == ["stem", "branch", "inner", "add", "out", "last"]
    assert split_points(base) == [1, 2, 5, 6]


def test_blocks_end_behind_the_activation_of_a_join() -> None:
    """Without a spec, a block ends where branches join, with the activation that follows."""
    assert block_split_points(residual_base(), None) == [1]


def test_split_through_a_block_is_refused() -> None:
    """Asked for the tensor at a place where two pass, the base says that it cannot be split there."""
    with pytest.raises(ValueError, match="cannot be split in front of its last 3 layers"):
        split_tensor(residual_base(), 3)


def test_halves_share_layers_with_the_whole() -> None:
    """The base has what the tail was trained to; and it still saves and loads after it was split."""
    base = residual_base()
    tensor = split_tensor(base, 1)
    tail = keras.Model(tensor, base.output)
    tail.get_layer("last").kernel.assign(np.zeros((1, 1, 4, 2)))
    values = np.ones((1, 8, 8, 3), np.float32)
    assert not base(values).numpy().any()
    again = keras.Model.from_config(base.get_config())
    assert [layer.name for layer in again.layers] == [layer.name for layer in base.layers]
    assert split_points(again) == split_points(base)


def test_inner_layers_are_found() -> None:
    """BatchNorm and dropout inside another layer are found; dropout also in front of a split point alone."""
    base = residual_base()
    assert [type(layer).__name__ for layer in (*batch_norms(base), *dropouts(base))] == [
        "BatchNormalization",
        "Dropout",
    ]
    assert (len(dropouts(base, before_last=3)), dropouts(base, before_last=4)) == (1, [])


def test_split_points_of_a_network_with_operations_between_its_layers() -> None:
    """MobileNetV3 has operations that are not layers; its split points are still counted in layers, and hold."""
    base = build_base(config("mobilenet_v3_small", alpha=0.1, weights="none", image_size=32).model)
    assert len(base.operations) > len(base.layers)
    values = np.random.default_rng(2).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    base.get_layer("conv_bn").beta.assign_add(np.ones(base.get_layer("conv_bn").beta.shape))
    for count in block_split_points(base, ARCHITECTURES["mobilenet_v3_small"])[::4]:
        tensor = split_tensor(base, count)
        tail = keras.Model(tensor, base.output)
        tail_layers = {layer.name for layer in tail.layers if not isinstance(layer, keras.layers.InputLayer)}
        assert tail_layers == {layer.name for layer in base.layers[-count:]}
        front = keras.Model(base.input, tensor)
        np.testing.assert_allclose(tail(front(values)), base(values), rtol=1e-5, atol=1e-12)

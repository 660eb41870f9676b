"""Bases from KerasHub: presets that the tests save themselves, read without a network."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tests.end_to_end.training.round_trip import assert_exported, grow
from tests.forked import run_forked
from trainer.config import TrainingConfig, read_config
from trainer.errors import ConfigurationError, WeightsError
from trainer.models.architectures import BASE, image_input_of
from trainer.models.base import batch_norms, block_split_points, build_base, dropouts
from trainer.models.defaults import fill_in
from trainer.training.base_weights import prepare_base

keras_hub: Any = pytest.importorskip(
    "keras_hub", reason="KerasHub is an optional extra: pip install 'graft-serving[hub]'"
)

SCALE, OFFSET = (0.017, 0.0175, 0.0174), (-2.1, -2.0, -1.8)
WITHOUT_KERAS_HUB = "import sys; sys.modules['keras_hub'] = None\n"


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ResNet of two stages, saved as a classifier with its preprocessor."""
    folder = tmp_path_factory.mktemp("presets") / "tiny_resnet"
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 16],
        stackwise_num_blocks=[1, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    converter = keras_hub.layers.ResNetImageConverter(image_size=(48, 48), scale=list(SCALE), offset=list(OFFSET))
    preprocessor = keras_hub.models.ResNetImageClassifierPreprocessor(converter)
    keras_hub.models.ResNetImageClassifier(backbone, num_classes=5, preprocessor=preprocessor).save_to_preset(folder)
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a transformer of two layers, which takes 32 pixels and nothing else."""
    folder = tmp_path_factory.mktemp("presets") / "tiny_vit"
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=(16, 16), num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    backbone.save_to_preset(str(folder))
    keras_hub.layers.ViTImageConverter(image_size=(32, 32), scale=1 / 127.5, offset=-1.0).save_to_preset(str(folder))
    return folder


def config(preset: Path | str, **model: Any) -> TrainingConfig:
    values = {f"model.{key}": value for key, value in model.items()}
    return read_config(None, {"model.architecture": f"hub:{preset}"} | values)


def images(size: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(7).uniform(0, 255, (2, size, size, 3)).astype(np.float32)


def test_preset_says_its_size_and_blocks(resnet: Path) -> None:
    """Size and layers to unfreeze come from the preset; it may be cut behind each residual block."""
    filled = fill_in(config(resnet))
    base = build_base(filled.model)
    unfreeze = len(base.layers) - [layer.name for layer in base.layers].index("stack0_block0_out") - 1
    assert (filled.model.image_size, filled.phase_two.unfreeze) == (48, (unfreeze,))
    ends = {base.layers[-cut - 1].name for cut in block_split_points(base, None)}
    assert ends == {"stack0_block0_out", "stack1_block0_out"}
    assert base.name == BASE


def test_base_answers_pixels_as_the_preset_does(resnet: Path) -> None:
    """The base takes pixels of 0 to 255 and answers what converter and backbone answer together."""
    filled = fill_in(config(resnet))
    image_input = image_input_of(filled.model)
    assert (image_input.scale, image_input.offset, any(image_input.mean)) == (1.0, 0.0, False)
    values = images(48)
    backbone = keras_hub.models.Backbone.from_preset(str(resnet))
    expected = backbone(values * np.array(SCALE, np.float32) + np.array(OFFSET, np.float32), training=False)
    np.testing.assert_allclose(build_base(filled.model)(values, training=False), expected, rtol=0, atol=1e-4)


def test_weights_are_the_presets_or_random(resnet: Path, tmp_path: Path) -> None:
    """By default the preset's own weights are used, recorded by its name and their digest; "none" leaves them out."""
    base, weights = prepare_base(fill_in(config(resnet)).model, tmp_path)
    again, weights_again = prepare_base(fill_in(config(resnet)).model, tmp_path)
    random, nothing = prepare_base(fill_in(config(resnet, weights="none")).model, tmp_path)
    assert weights == weights_again
    assert (weights.source, nothing.source) == ("hub:tiny_resnet", "none")
    kernels = [network.get_layer("conv1_conv").kernel.numpy() for network in (base, again, random)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_preset_takes_another_size(resnet: Path) -> None:
    """A convolutional preset is built at the size that the settings name."""
    assert build_base(fill_in(config(resnet, image_size=64)).model).input_shape == (None, 64, 64, 3)


def test_trained_model_needs_no_keras_hub(resnet: Path, tmp_path: Path) -> None:
    """Fine-tuned on a preset, the model reloads in a process without KerasHub, and exports; all answer the same."""
    descended = grow(f"hub:{resnet}", "imagenet", None)
    before = descended.base.get_layer("stack1_block1_2_conv").kernel.numpy()
    descended.train_one_step()
    assert not np.array_equal(before, descended.base.get_layer("stack1_block1_2_conv").kernel.numpy())
    predictions = descended.predictions(descended.model)
    assert np.ptp(predictions, axis=0).max() > 1e-3
    descended.model.save(tmp_path / "model.keras", include_optimizer=False)
    np.save(tmp_path / "pixels.npy", descended.pixels)
    script = WITHOUT_KERAS_HUB + (
        "import pathlib, keras, numpy\n"
        "from trainer.models.hub import prepare_to_load\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "prepare_to_load(folder / 'model.keras')\n"
        "model = keras.saving.load_model(folder / 'model.keras', compile=False)\n"
        "pixels = numpy.load(folder / 'pixels.npy').astype('float32')\n"
        "numpy.save(folder / 'answers.npy', model(pixels, training=False))\n"
    )
    done = run_forked(script, str(tmp_path))
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), predictions, rtol=0, atol=1e-6)
    assert_exported(descended.model, descended, tmp_path / "exported")


def test_transformer_is_kept_in_one_piece(vit: Path, tmp_path: Path) -> None:
    """A backbone whose layers cannot be loaded one by one becomes one layer of the base, which loads and answers."""
    filled = fill_in(config(vit))
    base = build_base(filled.model)
    values = images(32)
    tokens = keras_hub.models.Backbone.from_preset(str(vit))(values / 127.5 - 1, training=False)
    np.testing.assert_allclose(base(values, training=False)[:, 0], tokens, rtol=0, atol=1e-5)
    assert (len(base.output_shape), batch_norms(base), len(dropouts(base)) > 0) == (4, [], True)
    base.save(tmp_path / "base.keras")
    again = keras.saving.load_model(tmp_path / "base.keras", compile=False)
    np.testing.assert_array_equal(again(values, training=False), base(values, training=False))


def test_model_with_layers_of_keras_hub_says_that_it_needs_it(vit: Path, tmp_path: Path) -> None:
    """Where KerasHub is missing, a trained model of its layers is refused in one line that says what to install."""
    build_base(fill_in(config(vit)).model).save(tmp_path / "model.keras")
    script = WITHOUT_KERAS_HUB + (
        "import pathlib\n"
        "from trainer.models.hub import prepare_to_load\n"
        "try: prepare_to_load(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = run_forked(script, str(tmp_path / "model.keras"))
    assert done.stdout.startswith("ConfigurationError Presets need KerasHub")
    assert "pip install 'graft-serving[hub]'" in done.stdout


def test_size_that_a_transformer_cannot_take_is_refused(vit: Path) -> None:
    """A transformer's only size is named when another is asked for."""
    with pytest.raises(ConfigurationError, match=r"tiny_vit does not support images of 64 pixels .* are \(32, 32\)"):
        build_base(config(vit, image_size=64).model)


def test_misspelled_preset_is_refused() -> None:
    """A preset that does not exist is refused with the nearest that does."""
    with pytest.raises(WeightsError, match=r"^The KerasHub preset resnet_50_imagnet cannot be read; did you mean resn"):
        build_base(config("resnet_50_imagnet", image_size=32).model)


def test_folder_without_preset_is_refused(tmp_path: Path) -> None:
    """A folder that holds no preset is refused in one line with its path."""
    with pytest.raises(WeightsError, match=r"cannot be read: ") as caught:
        build_base(config(tmp_path, image_size=32).model)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_preset_without_image_converter_is_refused(resnet: Path, tmp_path: Path) -> None:
    """Without its image converter nobody knows how the preset scales pixels; a guess would be silently wrong."""
    keras_hub.models.Backbone.from_preset(str(resnet)).save_to_preset(str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"does not say how it scales pixels .*; save it with its image converter\.$"
    ):
        build_base(config(tmp_path, image_size=32).model)


def test_preset_of_texts_is_refused(tmp_path: Path) -> None:
    """A preset that takes no images is refused by what it is."""
    keras_hub.models.BertBackbone(
        vocabulary_size=10, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"is a BertBackbone, which does not turn one image into features"):
        build_base(config(tmp_path, image_size=32).model)


def test_preset_without_square_size_asks_for_one(resnet: Path, tmp_path: Path) -> None:
    """Where the preset has no square size, the settings must give one."""
    keras_hub.models.Backbone.from_preset(str(resnet)).save_to_preset(str(tmp_path))
    keras_hub.layers.ResNetImageConverter(image_size=(32, 48)).save_to_preset(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"has no square image size but \(32, 48\); set model\.image_size"):
        fill_in(config(tmp_path))

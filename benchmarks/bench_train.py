"""Training images per second of both phases, beside a plain `model.fit` of the same model: `make bench-train`.

Both halves train the same network on the same images in this process. A phase's time is wall-clock time from its
beginning to the end of its last epoch: validation after each epoch counts and, in Graft, computing features; decoding
the images, once before, counts in neither. Each half runs twice, first for one epoch on about one batch: that is
nearly all tracing, and is taken off what is compared. The table has the rates with tracing, too.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tests.places import DATA

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Column, Table

from trainer.config import TrainingConfig, read_config
from trainer.data.image_folder import find_images
from trainer.data.leakage import LEAKAGE_FILE
from trainer.data.loading import load_images
from trainer.models.architectures import image_input_of
from trainer.models.base import build_base, load_base_weights
from trainer.models.defaults import fill_in
from trainer.models.head import add_head
from trainer.models.network import Network
from trainer.progress import Epoch, Progress
from trainer.training.context import TrainingContext
from trainer.training.fine_tuning import fine_tune
from trainer.training.pixel_pipelines import make_training_data
from trainer.training.prediction import Predictor
from trainer.training.state import TrainingState

Phase = Literal["phase_one", "phase_two"]

WANTED: dict[Phase, float] = {"phase_one": 7.0, "phase_two": 1.0}
EPOCHS: dict[Phase, int] = {"phase_one": 10, "phase_two": 3}
RATES: dict[Phase, float] = {"phase_one": 1e-3, "phase_two": 1e-4}
BATCH = 32
DRAWN_PER_CLASS = {"train": 80, "val": 16, "test": 16}
DRAWN_COLOURS = {"blue": (40, 60, 220), "green": (50, 200, 60), "red": (220, 50, 40), "sand": (210, 190, 120)}

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each half traces anew, of which TensorFlow warns
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Task:
    """What both halves do.

    `folder` has `train|val|test/CLASS/*`; `weights` is a file for the base, or None for random ones, which are as fast;
    `unfreeze` is how many of the base's last layers phase two trains.
    """

    folder: Path
    alpha: float
    px: int
    weights: Path | None
    unfreeze: int
    epochs: Mapping[Phase, int]


class Timing(NamedTuple):
    """Training images of all epochs of a phase together, and the seconds they took."""

    images: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def without(self, tracing: "Timing") -> "Timing":
        """Take off what the short run took."""
        return Timing(self.images - tracing.images, self.seconds - tracing.seconds)


Timings = dict[Phase, Timing]


class Half(NamedTuple):
    """What was measured of one half: on about one batch, and on all images."""

    one_batch: Timings
    all_images: Timings


def main() -> None:
    """Run both halves and print the table."""
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as temporary:
        task = Task(
            folder=find_or_draw(options.data, Path(temporary) / "drawn"),
            alpha=options.alpha,
            px=options.px,
            weights=options.weights,
            unfreeze=options.unfreeze,
            epochs=EPOCHS,
        )
        console.print(f"MobileNetV2, alpha {task.alpha}, {task.px} px, {BATCH} images a batch, from {task.folder}")
        one_batch = replace(task, folder=a_few(task.folder, Path(temporary) / "few"), epochs=dict.fromkeys(EPOCHS, 1))
        halves = [Half(run(one_batch), run(task)) for run in (plain_phases, graft_phases)]
    console.print(table(*halves))
    console.print("Training images per second, without tracing; * with tracing.")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the network (default 1.0)")
    parser.add_argument("--px", type=int, default=160, help="height and width of its input (default 160)")
    parser.add_argument("--weights", type=Path, help="weights of the base, without top; random ones are as fast")
    parser.add_argument("--unfreeze", type=int, default=30, help="last layers of the base in phase two (default 30)")
    default = DATA / "flowers"
    parser.add_argument("--data", type=Path, default=default, help="train|val|test/CLASS/*; drawn if it is not there")
    return parser.parse_args()


def plain_phases(task: Task) -> Timings:
    """Fine-tune as tutorials do: a frozen base inside a model of its own, then its last layers, by `model.fit`."""
    keras.utils.set_random_seed(1)
    train, val = (read_split(task.folder / split, task.px) for split in ("train", "val"))
    model, base = build(task, classes=int(train[1].max()) + 1)
    timings: Timings = {"phase_one": fit(model, "phase_one", task, train, val)}
    base.trainable = True
    for index, layer in enumerate(base.layers):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= len(base.layers) - task.unfreeze and not is_norm
    timings["phase_two"] = fit(model, "phase_two", task, train, val)
    return timings


def graft_phases(task: Task) -> Timings:
    """Fine-tune with Graft: the same folder, epochs, rates and layers, no early stop, no gate.

    Phase one's seconds hold the features of both phases, which are computed together.
    """
    config = graft_settings(task)
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    found = find_images(task.folder, config.data, config.seed)
    base = build_base(config.model.model_copy(update={"weights": "none"}))
    if task.weights:
        load_base_weights(base, task.weights)
    network = Network(add_head(base, config.head, len(found.labels)))
    leakage_file = Path(LEAKAGE_FILE)
    with load_images(found, image_input_of(config.model), config, Progress(), leakage_file) as images:
        splits = images.splits
        data = make_training_data(splits["train"], splits["val"], network.classes, images.image_input, config)
        with console.status(f"Graft, both phases, {data.train.images} images"):
            clock = Clock()
            predictor = Predictor(network.model)
            fine_tune(TrainingContext(network, predictor, data, config, TrainingState(), clock, images.budget))
            clock.ends["phase_two"] = time.perf_counter()
    one, two = clock.ends["phase_one"] - clock.began, clock.ends["phase_two"] - clock.ends["phase_one"]
    count = data.train.images
    return {
        "phase_one": Timing(task.epochs["phase_one"] * count, one),
        "phase_two": Timing(task.epochs["phase_two"] * count, two),
    }


def graft_settings(task: Task) -> TrainingConfig:
    """Return the settings of the task, with every epoch run and the gate open."""
    phases = {
        f"{phase}.{key}": value
        for phase in EPOCHS
        for key, value in {"epochs": task.epochs[phase], "learning_rate": RATES[phase], "patience": 99}.items()
    }
    model = {"model.alpha": task.alpha, "model.image_size": task.px, "phase_two.unfreeze": task.unfreeze}
    rest = {"gate.force": True, "data.batch_size": BATCH, "data.allow_leakage": True}
    return fill_in(read_config(None, phases | model | rest))


class Clock(Progress):
    """Notes when each phase's last epoch so far ended."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.ends: dict[str, float] = {}

    def on_epoch(self, epoch: Epoch) -> None:
        """Look at the clock."""
        self.ends[epoch.phase] = time.perf_counter()


def build(task: Task, classes: int) -> tuple[Any, Any]:
    """Return the model and the base in it, which is frozen."""
    shape = (task.px, task.px, 3)
    weights = str(task.weights) if task.weights else None
    base = keras.applications.MobileNetV2(shape, task.alpha, include_top=False, weights=weights)
    base.trainable = False
    images = keras.Input(shape)
    values = keras.layers.GlobalAveragePooling2D()(base(images, training=False))
    for units, dropped in ((256, 0.5), (128, 0.3)):
        values = keras.layers.Dropout(dropped)(keras.layers.Dense(units, activation="relu")(values))
    return keras.Model(images, keras.layers.Dense(classes, activation="softmax")(values)), base


Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]


def read_split(folder: Path, px: int) -> Split:
    """Decode the images of `CLASS/*` into uint8 [N, px, px, 3] and int32 [N]."""
    found = keras.utils.image_dataset_from_directory(
        folder, image_size=(px, px), batch_size=None, shuffle=False, verbose=False
    )
    pixels, labels = zip(*found.as_numpy_iterator(), strict=True)
    return np.stack(pixels).round().astype(np.uint8), np.array(labels, np.int32)


def fit(model: Any, phase: Phase, task: Task, train: Split, val: Split) -> Timing:
    """Compile anew, since what can be trained has changed, and fit."""
    epochs = task.epochs[phase]
    feed = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train[1]), seed=1)
    with console.status(f"plain model.fit, {phase.replace('_', ' ')}, {epochs} epochs of {len(train[1])} images"):
        began = time.perf_counter()
        model.compile(keras.optimizers.Adam(RATES[phase]), "sparse_categorical_crossentropy", metrics=["accuracy"])
        judged_by = batched(tf.data.Dataset.from_tensor_slices(val))
        model.fit(batched(feed), validation_data=judged_by, epochs=epochs, shuffle=False, verbose=0)
        return Timing(epochs * len(train[1]), time.perf_counter() - began)


def batched(images: Any) -> Any:
    """Scale images as MobileNetV2 wants them, in batches."""

    def scale(pixels: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return keras.applications.mobilenet_v2.preprocess_input(tf.cast(pixels, tf.float32)), label

    return images.map(scale, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def find_or_draw(data: Path, folder: Path) -> Path:
    """Return `data` if it is there, else `folder` with drawn images of about 500 x 375."""
    if (data / "train").is_dir():
        return data
    with console.status("drawing images"):
        for split, count in DRAWN_PER_CLASS.items():
            for number, (name, colour) in enumerate(DRAWN_COLOURS.items()):
                (folder / split / name).mkdir(parents=True)
                for index in range(count):
                    random = np.random.default_rng([list(DRAWN_PER_CLASS).index(split), number, index])
                    draw(colour, random).save(folder / split / name / f"{index:03d}.jpg")
    return folder


def a_few(data: Path, folder: Path) -> Path:
    """Link to about one batch of each split of `data` from `folder`, and return it."""
    for split in DRAWN_PER_CLASS:
        classes = sorted((data / split).iterdir())
        for class_folder in classes:
            (folder / split / class_folder.name).mkdir(parents=True)
            for image in sorted(class_folder.iterdir())[: BATCH // len(classes)]:
                (folder / split / class_folder.name / image.name).symlink_to(image.resolve())
    return folder


def draw(colour: tuple[int, int, int], random: np.random.Generator) -> Image.Image:
    """Draw patches of about one colour, another image each time."""
    patches = random.normal(0, 40, (10, 13, 3)) + np.array(colour)
    small = Image.fromarray(np.clip(patches, 0, 255).astype(np.uint8))
    return small.resize((500, 375), Image.Resampling.BICUBIC)


def table(plain: Half, graft: Half) -> Table:
    """Set the rates side by side."""
    numbers = ("plain", "Graft", "ratio")
    shown = Table(
        Column("phase", no_wrap=True), "epochs", *numbers, "wanted", *(f"{name}*" for name in numbers), box=box.SIMPLE
    )
    for phase in plain.all_images:
        whole = [half.all_images[phase] for half in (plain, graft) if half.all_images]
        net = [half.all_images[phase].without(half.one_batch[phase]) for half in (plain, graft) if half.one_batch]
        wanted = f">= {WANTED[phase]:.1f}"
        shown.add_row(phase.replace("_", " "), str(EPOCHS[phase]), *side_by_side(net), wanted, *side_by_side(whole))
    return shown


def side_by_side(timings: list[Timing]) -> list[str]:
    """Return both rates and their ratio; the second and the ratio are empty where nothing was measured."""
    rates = [timing.rate for timing in timings]
    ratio = [f"{rates[1] / rates[0]:.2f}"] if len(rates) > 1 else ["", ""]
    return [f"{rate:.0f}" for rate in rates] + ratio


if __name__ == "__main__":
    main()

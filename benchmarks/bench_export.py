"""What the exporter's work on the graph is worth, and what its guards cost: `make bench-export`.

MobileNetV2 is written three times in this process: as it is served, with BatchNorm layers and variables as it was
trained, and as served but with a plain `decode -> resize -> model` in front, which one bad image fails. Variants
that are compared take turns call by call, so that other load on the machine affects both equally.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.places import DATA

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as our commands set it; 0 measures without

import numpy as np
import tensorflow as tf
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.serving.photographs import HEIGHT, WIDTH, read_or_draw
from contract.image_input import ImageInput
from contract.signatures import SERVING_DEFAULT, SERVING_PIXELS
from exporter.saved_model.network import ServedNetwork, make_served_network
from exporter.saved_model.writer import save
from trainer.config import HeadSettings, ModelSettings
from trainer.models.architectures import image_input_of
from trainer.models.base import build_base, load_base_weights
from trainer.models.head import add_head

BATCHES = (1, 8)
LABELS = tuple("abcde")
FASTER, LOADS_FASTER, GUARDS_COST = 1.4, 2.0, 1.15

console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Write the models, time them and print the table."""
    options = read_options()
    settings = ModelSettings(weights="none", alpha=options.alpha, image_size=options.px)
    image_input = image_input_of(settings)
    base = build_base(settings)
    if options.weights:
        load_base_weights(base, options.weights)
    model = add_head(base, HeadSettings(), len(LABELS))
    images = read_or_draw(options.data)
    console.print(f"MobileNetV2, alpha {options.alpha}, {options.px} px; JPEGs of {WIDTH}x{HEIGHT}")
    with tempfile.TemporaryDirectory(prefix="graft-bench-") as temporary:
        served, trained, plain = (Path(temporary) / name for name in ("served", "trained", "plain"))
        network = make_served_network(model, image_input)
        save(network, LABELS, image_input, served)
        save(make_served_network(model, image_input, fold=False, largest_frozen_bytes=0), LABELS, image_input, trained)
        save_plain(network, image_input, plain)
        console.print(compare(served, trained, plain, images, options.seconds))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the network (default 1.0)")
    parser.add_argument("--px", type=int, default=224, help="height and width of its input (default 224)")
    parser.add_argument("--weights", type=Path, help="weights of the base, without top; random ones are as fast")
    parser.add_argument("--seconds", type=float, default=8, help="how long to time each comparison (default 8)")
    default = DATA / "flowers" / "test"
    parser.add_argument("--data", type=Path, default=default, help="CLASS/*.jpg; drawn if it is not there")
    return parser.parse_args()


def save_plain(network: ServedNetwork, image_input: ImageInput, folder: Path) -> None:
    """Write the graph that is served, without any guard: what cannot be decoded fails the batch."""
    size = [image_input.height, image_input.width]

    def read(content: Any) -> Any:
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        return tf.cast(tf.clip_by_value(tf.round(tf.image.resize(image, size, antialias=True)), 0, 255), tf.uint8)

    def predict(image_bytes: Any) -> Any:
        spec = tf.TensorSpec([*size, 3], tf.uint8)
        pixels = tf.map_fn(read, image_bytes, fn_output_signature=spec, parallel_iterations=2)
        return {"probabilities": network.predict(pixels)}

    contents = tf.TensorSpec([None], tf.string, name="image_bytes")
    function = tf.function(predict).get_concrete_function(contents)
    tf.saved_model.save(tf.Module(), str(folder), signatures={SERVING_DEFAULT: function})


def compare(served: Path, trained: Path, plain: Path, images: Sequence[bytes], seconds: float) -> Table:
    """Time everything, and return the table."""
    table = Table("what", "as served", "beside it", "ratio", "wanted", box=box.SIMPLE)
    loaded = {folder: tf.saved_model.load(str(folder)) for folder in (served, trained, plain)}
    for batch in BATCHES:
        size = loaded[served].signatures[SERVING_PIXELS].structured_input_signature[1]["pixels"].shape[1:]
        pixels = tf.constant(np.random.default_rng(1).integers(0, 256, (batch, *size)), tf.uint8)
        times = take_turns(
            {name: caller(loaded[name], SERVING_PIXELS, pixels=pixels) for name in (served, trained)}, seconds
        )
        ratio = times[trained] / times[served]
        add(
            table,
            f"network, batch {batch}: with BatchNorm and variables",
            times[served],
            times[trained],
            ratio,
            ">=",
            FASTER,
        )
    for batch in BATCHES:
        contents = tf.constant([images[index % len(images)] for index in range(batch)])
        times = take_turns(
            {name: caller(loaded[name], SERVING_DEFAULT, image_bytes=contents) for name in (served, plain)}, seconds
        )
        ratio = times[served] / times[plain]
        add(table, f"from bytes, batch {batch}: without guards", times[served], times[plain], ratio, "<=", GUARDS_COST)
    times = take_turns({name: loader(name) for name in (served, trained)}, seconds)
    add(
        table,
        "loading: with BatchNorm and variables",
        times[served],
        times[trained],
        times[trained] / times[served],
        ">=",
        LOADS_FASTER,
    )
    return table


def add(table: Table, what: str, served: float, other: float, ratio: float, sign: str, bound: float) -> None:
    """Add a row; times are in seconds."""
    table.add_row(what, f"{served * 1e3:.2f} ms", f"{other * 1e3:.2f} ms", f"{ratio:.2f}", f"{sign} {bound}")


def caller(loaded: Any, signature: str, **inputs: Any) -> Callable[[], Any]:
    """Return a function that calls a signature of a loaded model."""
    function = loaded.signatures[signature]

    def call() -> Any:
        return function(**inputs)["probabilities"].numpy()

    return call


def loader(folder: Path) -> Callable[[], Any]:
    """Return a function that loads a model."""
    return lambda: tf.saved_model.load(str(folder))


def take_turns(calls: Mapping[Path, Callable[[], Any]], seconds: float) -> dict[Path, float]:
    """Call each in turn for about so long, three times at least, and return the median time of each, in seconds."""
    for call in calls.values():
        call()
        call()
    times: dict[Path, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[next(iter(times))]) < 3:
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()

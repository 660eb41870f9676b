"""A run's model as tutorials export it: `python -m benchmarks.engines.unfolded_model RUN FOLDER [--without-antialias]`.

`decode_image`, `resize` and the Keras model one after another, with `ExportArchive`: variables and BatchNorm layers are
as they were in training, nothing is folded or frozen, and one image that cannot be decoded fails its whole batch. It
resizes with antialias if the run did: the model was trained so, and other pixels would give other predictions.
"""

import argparse
from pathlib import Path
from typing import Any

from trainer.tensorflow_start import start_tensorflow

LABELS_FILE = "assets.extra/labels.txt"


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("folder", type=Path, help="where to write the SavedModel")
    parser.add_argument("--without-antialias", action="store_true", help="resize as `tf.image.resize` does by itself")
    options = parser.parse_args()
    start_tensorflow()
    write_unfolded(options.run, options.folder, without_antialias=options.without_antialias)


def write_unfolded(run_folder: Path, folder: Path, *, without_antialias: bool = False) -> None:
    """Write the run's model with one signature, `image_bytes` string [N] to `probabilities` float32 [N, C].

    Raises:
        TrainerError: there is no such run.
    """
    import keras  # noqa: PLC0415 - not before TensorFlow was silenced
    import tensorflow as tf  # noqa: PLC0415

    from trainer.data.preprocessing import scale_pixels  # noqa: PLC0415
    from trainer.runs.trained_model import read_run  # noqa: PLC0415

    run = read_run(run_folder)
    model, image_input = run.load_model(), run.record.image_input
    size = [image_input.height, image_input.width]

    def read(content: Any) -> Any:
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
        return tf.image.resize(image, size, antialias=image_input.antialias and not without_antialias)

    def predict(image_bytes: Any) -> Any:
        pixels = tf.map_fn(read, image_bytes, fn_output_signature=tf.TensorSpec([*size, 3], tf.float32))
        return {"probabilities": model(scale_pixels(pixels, image_input), training=False)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    contents = tf.TensorSpec([None], tf.string, name="image_bytes")
    archive.add_endpoint("serving_default", predict, input_signature=[contents])
    archive.write_out(str(folder), verbose=False)
    labels = folder / LABELS_FILE
    labels.parent.mkdir()
    labels.write_text("".join(f"{label}\n" for label in run.record.labels))


if __name__ == "__main__":
    main()

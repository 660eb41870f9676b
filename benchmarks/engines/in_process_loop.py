"""A SavedModel called in a loop, nothing around it: `python -m benchmarks.engines.in_process_loop FOLDER IMAGE...`.

Reads lines of how many rows a call has and for how many seconds to call, and prints a line of JSON for each:
calls, seconds, processor seconds and the median seconds of a call.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

from trainer.tensorflow_start import start_tensorflow


def main() -> None:
    """Call until the input ends."""
    start_tensorflow()
    import tensorflow as tf  # noqa: PLC0415 - not before it was silenced

    folder, *files = sys.argv[1:]
    images = [Path(file).read_bytes() for file in files]
    function = tf.saved_model.load(folder).signatures["serving_default"]
    print("ready", flush=True)
    for line in sys.stdin:
        rows, seconds = int(line.split()[0]), float(line.split()[1])
        contents = [images[index % len(images)] for index in range(rows)]
        times: list[float] = []
        cpu, began = time.process_time(), time.perf_counter()
        while not times or time.perf_counter() < began + seconds:
            started = time.perf_counter()
            outputs = function(image_bytes=tf.constant(contents))
            _ = {name: tensor.numpy() for name, tensor in outputs.items()}
            times.append(time.perf_counter() - started)
        took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        print(json.dumps({"calls": len(times), **took, "median": median(times)}), flush=True)


if __name__ == "__main__":
    main()

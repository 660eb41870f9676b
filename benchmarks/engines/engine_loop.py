"""An engine of the model server called in a loop: `python -m benchmarks.engines.engine_loop ENGINE FOLDER IMAGE...`.

ENGINE is `tensorflow` or `litert`, with the threads that the model server gives it and nothing around it. Reads lines
of a signature, rows in a call, threads that call and for how many seconds, and prints a line of JSON for each:
calls, seconds, processor seconds and the median seconds of a call.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from modelserver.model.version import Model

Inputs = Mapping[str, npt.NDArray[Any]]


def main() -> None:
    """Call until the input ends; say why where the engine cannot be had."""
    name, folder, *files = sys.argv[1:]
    images = [Path(file).read_bytes() for file in files]
    try:
        engine = load(name, Path(folder))
    except EngineMissingError as error:
        print(error, flush=True)
        return
    print("ready", flush=True)
    for line in sys.stdin:
        signature, rows, threads, seconds = line.split()
        print(json.dumps(predict(engine, signature, images, int(rows), int(threads), float(seconds))), flush=True)


class EngineMissingError(Exception):
    """The engine is not there, or cannot take this version; the message says which."""


def load(name: str, folder: Path) -> "Model":
    """Load a version into an engine.

    Raises:
        EngineMissingError: it is not to be had for this version.
    """
    if name == "litert":
        return _load_litert(folder)
    from trainer.tensorflow_start import start_tensorflow  # noqa: PLC0415

    start_tensorflow()
    from modelserver.engines.tensorflow.model import TensorFlowModel  # noqa: PLC0415
    from modelserver.engines.tensorflow.threads import start_graph_threads  # noqa: PLC0415

    start_graph_threads()
    return TensorFlowModel.load(folder)


def _load_litert(folder: Path) -> "Model":
    from modelserver.engines.litert.model import LitertModel  # noqa: PLC0415
    from modelserver.errors import LoadError  # noqa: PLC0415

    try:
        return LitertModel.load(folder)
    except LoadError as error:
        raise EngineMissingError(f"The LiteRT engine does not load the version: {error}") from error


def predict(
    engine: "Model", signature: str, images: Sequence[bytes], rows: int, threads: int, seconds: float
) -> dict[str, float] | None:
    """Return what calls took, or None where the version has no such signature."""
    from modelserver.errors import SignatureNotFoundError  # noqa: PLC0415

    try:
        return call_for(engine, signature, inputs_of(engine, signature, images, rows), threads, seconds)
    except SignatureNotFoundError:
        return None


def inputs_of(engine: "Model", signature: str, images: Sequence[bytes], rows: int) -> list[Inputs]:
    """Return the inputs of a signature, call by call: each image is first once."""
    calls: list[Inputs] = []
    for first in range(len(images)):
        contents = np.empty(rows, object)
        contents[:] = [images[(first + row) % len(images)] for row in range(rows)]
        calls.append({"image_bytes": contents})
    if signature == "pixels_of_image":
        return [{"image_bytes": np.asarray(call["image_bytes"][0], object)} for call in calls]
    if signature == "serving_pixels":
        single = inputs_of(engine, "pixels_of_image", images, 1)
        decoded = [engine.run("pixels_of_image", call)["pixels"] for call in single]
        return [{"pixels": np.stack([pixels] * rows)} for pixels in decoded]
    return calls


def call_for(
    engine: "Model", signature: str, inputs: Sequence[Inputs], threads: int, seconds: float
) -> dict[str, float]:
    """Call from so many threads for so long, each once at least, and once before, which prepares the graph."""
    times: list[float] = []
    engine.run(signature, inputs[0])
    cpu, began = time.process_time(), time.perf_counter()

    def work(number: int) -> None:
        turn = number
        while turn == number or time.perf_counter() < began + seconds:
            started = time.perf_counter()
            engine.run(signature, inputs[turn % len(inputs)])
            times.append(time.perf_counter() - started)
            turn += threads

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))  # which raises what was raised in one of them
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    return {"calls": len(times), **took, "median": median(times)}


if __name__ == "__main__":
    main()

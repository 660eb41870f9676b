"""Running TFLite files, by the interpreter that phones have."""

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from contract.process.native_stderr import discarded_native_stderr
from exporter.tflite.records import LiteTensor, Quantization

_WARM_UP_RUNS = 5
_FEWEST_RUNS, _MOST_RUNS = 30, 200
_MOST_SECONDS = 2.0


class LiteModel:
    """A TFLite classifier in memory: one image at a time, as an app calls it. Not for several threads at once."""

    def __init__(self, content: bytes, threads: int = 1) -> None:
        with discarded_native_stderr():
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    @property
    def input(self) -> LiteTensor:
        """The input; a size that may change is -1 in its shape."""
        return _describe(self._input)

    @property
    def output(self) -> LiteTensor:
        """The output."""
        return _describe(self._output)

    def predict(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities, float32 [N, C], of images of the model's size, uint8 [N, H, W, 3] RGB."""
        return np.concatenate([self._predict_one(image[None]) for image in pixels])

    def latency_ms(self, image: npt.NDArray[np.uint8]) -> float:
        """Return the median time of one image, uint8 [H, W, 3], in milliseconds.

        After 5 runs to warm up, 30 to 200 runs: as many as fit into 2 seconds.
        """
        self._interpreter.set_tensor(self._input["index"], image[None])
        for _ in range(_WARM_UP_RUNS):
            self._interpreter.invoke()
        times: list[float] = []
        while len(times) < _FEWEST_RUNS or (len(times) < _MOST_RUNS and sum(times) < _MOST_SECONDS):
            begun = time.perf_counter()
            self._interpreter.invoke()
            times.append(time.perf_counter() - begun)
        return 1000 * float(np.median(times))

    def _predict_one(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self._interpreter.set_tensor(self._input["index"], image)
        self._interpreter.invoke()
        predicted: npt.NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        scale, zero_point = self._output["quantization"]
        if not scale:
            return predicted.astype(np.float32)
        return np.asarray((predicted.astype(np.int32) - zero_point) * scale, np.float32)


def _describe(details: dict[str, Any]) -> LiteTensor:
    scale, zero_point = details["quantization"]
    return LiteTensor(
        name=details["name"],
        dtype=np.dtype(details["dtype"]).name,
        shape=tuple(int(size) for size in details["shape_signature"]),
        quantization=Quantization(scale=float(scale), zero_point=int(zero_point)) if scale else None,
    )

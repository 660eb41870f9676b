"""A network in LiteRT: pixels of one image at a time, on all processors."""

import contextlib
import itertools
import queue
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from contract.process.native_stderr import discarded_native_stderr
from modelserver.errors import GraphError, LoadError
from modelserver.model.decoded_images import Pixels

Probabilities = npt.NDArray[np.float32]

_STDERR_DISCARDED: Iterator[contextlib.AbstractContextManager[None]] = itertools.chain(
    [discarded_native_stderr()], itertools.repeat(contextlib.nullcontext())
)
"""LiteRT says once in a process that it computes on the CPU; later, log lines of others could be lost."""


class LiteNetwork:
    """One interpreter of a file's content, for one image at a time; not for two threads at once.

    Raises:
        LoadError: the file is not a network for one image of uint8 pixels.
    """

    def __init__(self, file: Path, content: bytes, threads: int) -> None:
        try:
            with next(_STDERR_DISCARDED):
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
            (self._input,) = self._interpreter.get_input_details()
            (self._output,) = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:  # ValueError also where it has more inputs or outputs
            raise LoadError(f"{file} cannot be run by LiteRT: {error}.") from error
        self.image_shape: tuple[int, ...] = tuple(map(int, self._input["shape"][1:]))
        """Height, width and 3."""
        self.classes = int(self._output["shape"][-1])
        if (self._input["dtype"], self._output["dtype"]) != (np.uint8, np.float32) or self._input["shape"][0] != 1:
            raise LoadError(
                f"{file} takes {np.dtype(self._input['dtype']).name} {self._input['shape'].tolist()}, not one image "
                "of uint8 pixels; export the run again."
            )

    def predict(self, pixels: Pixels) -> Probabilities:
        """Return the probabilities, float32 [C], of one image, uint8 [H, W, 3] RGB.

        Raises:
            GraphError: LiteRT failed.
        """
        try:
            self._interpreter.set_tensor(self._input["index"], pixels[None])
            self._interpreter.invoke()
        except RuntimeError as error:
            raise GraphError(f"LiteRT failed: {error}") from error
        probabilities: Probabilities = self._interpreter.get_tensor(self._output["index"])[0]
        return probabilities


class LiteNetworks:
    """`count` interpreters of one file, with `threads` each; lent to one caller at a time.

    They share one copy of its content: each would map the file by itself.

    Raises:
        LoadError: the file is not a network for one image of uint8 pixels.
        OSError: it cannot be read.
    """

    def __init__(self, file: Path, count: int, threads: int = 1) -> None:
        content = file.read_bytes()
        networks = [LiteNetwork(file, content, threads) for _ in range(count)]
        self.image_shape = networks[0].image_shape
        self.classes = networks[0].classes
        self._free: queue.SimpleQueue[LiteNetwork] = queue.SimpleQueue()
        for network in networks:
            self._free.put(network)

    @contextlib.contextmanager
    def lent(self) -> Iterator[LiteNetwork]:
        """Wait for an interpreter that is free, and hold it as long as the context is open."""
        network = self._free.get()
        try:
            yield network
        finally:
            self._free.put(network)

"""Large images are decoded apart, by threads that give way to everyone else's requests.

A photograph of 49 megapixels takes half a second of a processor. In a run that others share, all of them would wait
for it; in a thread of normal priority, they would have one processor less. Only the pixels that the network takes,
a few hundred kilobytes, go on to the runs of all.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from contract.image_cost.size import declared_pixels
from contract.signatures import IMAGE_INPUT, PIXELS_OF_IMAGE, SERVING_DEFAULT, SERVING_PIXELS
from modelserver.low_priority import give_way
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.cancellation import Tokens, check_wanted
from modelserver.model.decoded_images import DecodedRow, RowDecoder
from modelserver.model.spans import DECODE, TracedWork
from modelserver.model.tensors import Array
from modelserver.model.version import Model

LARGE_PIXELS = 1_000_000
"""Decoding so many takes about as long as the network of MobileNetV2 (10 ms)."""
LARGE_BYTES = 512 * 1024
"""Of one image before decoding: what holds more bytes than pixels is worth no more patience."""

_PROBABILITIES = "probabilities"
_Result = TypeVar("_Result")


class LargeImages:
    """Threads of low priority, one for each processor, which decode large images.

    Those that check them before have the usual priority: that is done in Python, and a thread that gave way while it
    holds Python's lock would hold up everyone.
    """

    def __init__(self) -> None:
        self._count = os.cpu_count() or 1
        self._checks = ThreadPoolExecutor(self._count, thread_name_prefix="check-images")
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="large-images", initializer=give_way)

    def close(self) -> None:
        """Let the threads end; results of what still waits or runs are no longer needed."""
        for threads in (self._checks, self._threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def run(
        self, model: Model, call: GraphCall, run: Callable[[GraphCall], Awaitable[GraphOutputs]]
    ) -> GraphOutputs:
        """Return the outputs of a call by `run`, its images decoded before where one of them is large.

        Raises:
            CallCancelledError: nobody waited any more before the last image was begun.
            ServingError: the model failed.
        """
        decoder = model.image_decoder
        if decoder is None or not _has_large_images(model, call):
            return await run(call)
        if call.signature_name == PIXELS_OF_IMAGE:
            with _traced(call, 1):
                outputs = await self._decoded(decoder, decoder.pixels_of, call.arguments[0].item(), call.tokens)
        else:
            outputs = await self._predict(decoder, call, run)
        return {name: outputs[name] for name in call.outputs}

    async def _predict(
        self, decoder: RowDecoder, call: GraphCall, run: Callable[[GraphCall], Awaitable[GraphOutputs]]
    ) -> dict[str, Array]:
        with _traced(call, len(call.arguments[0])):
            images = await self._decode(decoder, call)
        pixels = [image.pixels for image in images if image.pixels is not None]
        probabilities = np.zeros((0, 0), np.float32)
        if pixels:
            of_pixels = replace(
                call, signature_name=SERVING_PIXELS, arguments=(np.stack(pixels),), outputs=(_PROBABILITIES,)
            )
            probabilities = np.asarray((await run(of_pixels))[_PROBABILITIES])
        valid = [image.pixels is not None for image in images]
        return decoder.outputs(valid, [image.brightness for image in images], probabilities)

    async def _decode(self, decoder: RowDecoder, call: GraphCall) -> list[DecodedRow]:
        """Decode all images of a call, a few at a time, so that requests of many take turns."""
        turns = asyncio.Semaphore(2 * self._count)

        async def decode(content: bytes) -> DecodedRow:
            async with turns:
                return await self._decoded(decoder, decoder.decode, content, call.tokens)

        decoding = [asyncio.ensure_future(decode(content)) for content in call.arguments[0].tolist()]
        try:
            return await asyncio.gather(*decoding)
        finally:
            for each in decoding:
                each.cancel()  # where one failed, the others are not needed

    async def _decoded(
        self, decoder: RowDecoder, decode: Callable[[bytes], _Result], content: bytes, tokens: Tokens
    ) -> _Result:
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(self._checks, _if_wanted, tokens, decoder.checked, content)
        return await loop.run_in_executor(self._threads, _if_wanted, tokens, decode, checked)


def _traced(call: GraphCall, rows: int) -> TracedWork:
    return TracedWork(DECODE, call.spans, {"graft.rows": rows, "graft.large_images": True})


def _if_wanted(tokens: Tokens, function: Callable[[bytes], _Result], content: bytes) -> _Result:
    check_wanted(tokens)
    return function(content)


def _has_large_images(model: Model, call: GraphCall) -> bool:
    """Return whether the call has encoded images of which one is large, as an array that its signature takes."""
    if call.signature_name not in (SERVING_DEFAULT, PIXELS_OF_IMAGE):
        return False
    if list(model.signatures[call.signature_name].inputs) != [IMAGE_INPUT]:
        return False
    (contents,) = call.arguments
    if contents.ndim != (1 if call.signature_name == SERVING_DEFAULT else 0):
        return False
    return any(map(_is_large, contents.flat))


def _is_large(content: Any) -> bool:
    return len(content) > LARGE_BYTES or declared_pixels(content) > LARGE_PIXELS

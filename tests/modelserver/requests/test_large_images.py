"""Large images are decoded apart: same outputs, and nobody waits for them."""

import asyncio
import io
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from contract.signatures import IMAGE_INPUT, PIXELS_OF_IMAGE, SERVING_DEFAULT, SERVING_PIXELS
from modelserver.batching.batcher import Batcher
from modelserver.batching.parameters import BatchParameters
from modelserver.engines.litert.model import LitertModel
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.errors import CallCancelledError
from modelserver.model.calls import GraphCall, GraphOutputs
from modelserver.model.cancellation import CancellationToken
from modelserver.model.decoded_images import DecodedRow
from modelserver.model.version import Model
from modelserver.requests.large_images import LARGE_BYTES, LARGE_PIXELS, LargeImages
from tests.modelserver.litert_versions import CONTENTS, SIZE, assert_same, image, strings, write_version

LOADERS: dict[str, Callable[[Path], Model]] = {"tensorflow": TensorFlowModel.load, "litert": LitertModel.load}


def large(kind: str = "JPEG", side: int = 1100) -> bytes:
    """Return an image of more than a million pixels."""
    file = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(file, kind)
    return file.getvalue()


MIXTURES = {
    "JPEG": [large()],
    "PNG": [large("PNG")],
    "beside others": [*CONTENTS, large(), image(5)],
    "cut off": [large()[:300_000], image(1)],
    "no image, but large": [b"x" * (LARGE_BYTES + 1)],
    "many": [large(side=1001)] * 9,
}


@pytest.fixture(scope="module", params=LOADERS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small version by each engine."""
    return LOADERS[request.param](write_version(tmp_path_factory.mktemp("large") / "1"))


def run(model: Model, call: GraphCall) -> tuple[GraphOutputs, list[str]]:
    """Return the outputs of a call, and the signatures that ran for it."""
    ran: list[str] = []
    images = LargeImages()

    async def run_graph(call: GraphCall) -> GraphOutputs:
        ran.append(call.signature_name)
        return model.call(call)

    try:
        return asyncio.run(images.run(model, call, run_graph)), ran
    finally:
        images.close()


@pytest.mark.parametrize("name", MIXTURES)
def test_outputs_are_those_of_the_whole_graph(model: Model, name: str) -> None:
    """Valid or not, alone or beside others, each row has the outputs that the version's own graph gives it."""
    call = model.check(SERVING_DEFAULT, {IMAGE_INPUT: strings(MIXTURES[name])})
    outputs, ran = run(model, call)
    expected = model.call(call)
    assert_same(dict(outputs), expected)
    assert ran == ([SERVING_PIXELS] if expected["valid"].any() else [])


def test_small_images_run_as_they_came(model: Model) -> None:
    """Without a large image among them the call goes on as it is."""
    call = model.check(SERVING_DEFAULT, {IMAGE_INPUT: strings(CONTENTS)})
    assert run(model, call)[1] == [SERVING_DEFAULT]


def test_wanted_outputs_alone_are_returned(model: Model) -> None:
    """An output filter is kept."""
    call = model.check(SERVING_DEFAULT, {IMAGE_INPUT: strings([large()])}, ["label"])
    outputs, _ = run(model, call)
    assert list(outputs) == ["label"]


def test_one_image_to_pixels(model: Model) -> None:
    """A large image's own pixels are made apart, too."""
    content = np.empty((), np.object_)
    content[()] = large()
    call = model.check(PIXELS_OF_IMAGE, {IMAGE_INPUT: content})
    outputs, ran = run(model, call)
    assert ran == []
    assert np.asarray(outputs["pixels"]).shape == (SIZE, SIZE, 3)
    assert_same(dict(outputs), model.call(call))


class Decoder:
    """Decodes nothing before it is told to; notes the niceness of its thread."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.niceness: list[int] = []

    def checked(self, content: bytes) -> bytes:
        """Find nothing wrong."""
        return content

    def pixels_of(self, content: bytes) -> dict[str, Any]:
        """Stand for the signature of one image."""
        raise NotImplementedError

    def decode(self, content: bytes) -> DecodedRow:
        """Wait, and find no image."""
        self.niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.begun.set()
        assert self.go_on.wait(60)
        return DecodedRow(None)

    def outputs(self, valid: Any, brightness: Any, probabilities: Any) -> dict[str, Any]:
        """Say which are valid."""
        return {"valid": np.array(valid)}


class FakeModel:
    """Its graph answers at once."""

    signatures: ClassVar = {SERVING_DEFAULT: SimpleNamespace(inputs={IMAGE_INPUT: None})}

    def __init__(self, decoder: Decoder) -> None:
        self.image_decoder = decoder

    def call(self, call: GraphCall) -> GraphOutputs:
        """Find every row valid."""
        return {"valid": np.ones(call.rows(), np.bool_)}


def fake(decoder: Decoder) -> Any:
    """Return a model whose images are decoded by `decoder`."""
    return FakeModel(decoder)


def call_of(*contents: bytes, **more: Any) -> GraphCall:
    """Return a call with these images."""
    return GraphCall(SERVING_DEFAULT, (strings(list(contents)),), ("valid",), **more)


def test_nobody_waits_for_a_large_image() -> None:
    """While every thread for large images decodes, calls with small ones run in the one batch thread."""
    decoder, images = Decoder(), LargeImages()
    batcher = Batcher(BatchParameters(num_batch_threads=1), ThreadPoolExecutor(1))
    model = fake(decoder)
    many = [b"x" * (LARGE_BYTES + 1)] * (4 * (os.cpu_count() or 1))

    async def scenario() -> None:
        slow = asyncio.ensure_future(images.run(model, call_of(*many), lambda call: batcher.run(model, call)))
        await asyncio.to_thread(decoder.begun.wait, 60)
        fast = await images.run(model, call_of(b"small"), lambda call: batcher.run(model, call))
        assert fast["valid"].tolist() == [True]
        assert not slow.done()
        decoder.go_on.set()
        assert (await slow)["valid"].tolist() == [False] * len(many)

    asyncio.run(scenario())
    images.close()
    batcher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_large_images_give_way() -> None:
    """The threads that decode them have a lower priority than all others."""
    decoder, images = Decoder(), LargeImages()
    decoder.go_on.set()
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def never(call: GraphCall) -> GraphOutputs:
        raise AssertionError(call)

    asyncio.run(images.run(fake(decoder), call_of(b"x" * (LARGE_BYTES + 1)), never))
    images.close()
    assert decoder.niceness == [min(max(own, 10), 19)]


def test_images_of_a_caller_who_left_are_not_begun() -> None:
    """Of many, only those that had begun are decoded."""
    decoder, images, token = Decoder(), LargeImages(), CancellationToken()
    many = [b"x" * (LARGE_BYTES + 1)] * 50

    async def never(call: GraphCall) -> GraphOutputs:
        raise AssertionError(call)

    async def scenario() -> None:
        running = asyncio.ensure_future(images.run(fake(decoder), call_of(*many, tokens=[token]), never))
        await asyncio.to_thread(decoder.begun.wait, 60)
        token.cancel()
        decoder.go_on.set()
        with pytest.raises(CallCancelledError):
            await running

    asyncio.run(scenario())
    images.close()
    assert len(decoder.niceness) <= 2 * (os.cpu_count() or 1)


def test_what_is_large_is_told_by_the_header() -> None:
    """A header of many pixels, or many bytes, make an image large; a photograph for the web is not."""
    assert LARGE_PIXELS == 1_000_000
    decoder, images = Decoder(), LargeImages()
    decoder.go_on.set()
    ran: list[int] = []

    async def note(call: GraphCall) -> GraphOutputs:
        ran.append(call.rows())
        return {"valid": np.ones(1, np.bool_)}

    for content in (large()[:5000], large("PNG")[:100], large("JPEG", 640), image(1), b""):
        asyncio.run(images.run(fake(decoder), call_of(content), note))
    images.close()
    assert (len(decoder.niceness), len(ran)) == (2, 3)

"""`pixels_of_image`: what comes before the network, for one image, is exactly what `serving_default` does."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from contract.image_input import ImageInput
from exporter.saved_model.loading import LoadedVersion, Outputs, run_as_serving_loads
from exporter.saved_model.warmup import string_array
from tests.drawn.awkward_files import awkward_rows, content_of
from tests.drawn.bombs import BOMBS
from tests.drawn.images import COLOURS, encoded, exif, gradient, speckled
from tests.drawn.oriented import EXIF, Tiff, jpeg, png, segment, webp
from tests.exporter.conftest import Publication
from tests.exporter.refused_kinds import KINDS, REFUSED, half_a
from trainer.data.preprocessing import ImageDecoder

MOST_OPERATIONS = 125
"""Nodes that run for a JPEG, constants included; each costs microseconds, and decoding and resizing are two of them."""


@pytest.fixture(scope="module")
def version(first: Publication) -> LoadedVersion:
    """The first version, as Python loads it."""
    return LoadedVersion(first.folder)


@pytest.fixture(scope="module")
def signature(first: Publication) -> Any:
    """The signature itself, which fails where a server refuses."""
    loaded = tf.saved_model.load(str(first.folder))
    return functools.partial(_call, loaded)


def _call(loaded: Any, content: bytes) -> dict[str, Any]:
    return {key: value.numpy() for key, value in loaded.signatures["pixels_of_image"](tf.constant(content)).items()}


def requests(contents: list[bytes]) -> dict[str, tuple[str, Any]]:
    return {name: ("image_bytes", string_array(contents)) for name in ("serving_default", "pixels_of_image")}


def assert_as_a_row_of_a_batch(outputs: Outputs, contents: list[bytes], image_input: ImageInput) -> None:
    """The pixels are those of our preprocessing, validity and brightness those of `serving_default`, to the bit."""
    single, batch = outputs["pixels_of_image"], outputs["serving_default"]
    assert [single[name].dtype.name for name in ("pixels", "brightness")] == ["uint8", "float32"]
    np.testing.assert_array_equal(single["valid"], batch["valid"])
    np.testing.assert_array_equal(single["brightness"], batch["brightness"])
    pixels, _ = ImageDecoder(image_input).decode(contents)
    np.testing.assert_array_equal(single["pixels"], pixels)


def drawn() -> list[bytes]:
    """Draw images of each kind in sizes from 1 to 90, and JPEGs of all orientations in both byte orders."""
    random, colours = np.random.default_rng(3), list(COLOURS.values())
    sizes = [(1, 1), (1, 90), (90, 1), (32, 32), *random.integers(1, 90, (12, 2)).tolist()]
    plain = [encoded(speckled(colours[row % 3], row, *size), kind) for row, size in enumerate(sizes) for kind in KINDS]
    turned = [encoded(gradient(), "JPEG", exif=exif(way, order)) for way in range(10) for order in "<>"]
    return [*plain, *turned, *as_cameras_write_them()]


def as_cameras_write_them() -> list[bytes]:
    """Draw images with EXIF data in odd places, without end marker, and of CMYK without Adobe's marker."""
    tiff = Tiff(6, ">", thumbnail=3).content()
    turned = [jpeg(segment(0xE1, bytes(60_000)), segment(0xE1, EXIF * 2 + tiff)), png(tiff, behind_pixels=True)]
    without_end = encoded(speckled((90, 80, 70), 1, 60, 50), "JPEG")[:-2]
    cmyk = encoded(gradient().convert("CMYK"), "JPEG").replace(b"Adobe", b"Other")
    return [*turned, webp(tiff), without_end, without_end + b"trailer", cmyk]


def test_images_of_all_kinds_have_the_pixels_of_the_batch(first: Publication, version: LoadedVersion) -> None:
    """Drawn images of every kind, size and orientation come out as a row of a batch does."""
    contents = drawn()
    outputs = version.run(requests(contents))
    assert outputs["pixels_of_image"]["valid"].all()
    assert_as_a_row_of_a_batch(outputs, contents, first.exported.manifest.image_input)


def test_awkward_images_have_the_pixels_of_the_batch(first: Publication, version: LoadedVersion) -> None:
    """Files as users send them are decoded, or refused, as in a batch."""
    contents = [content_of(row) for row in awkward_rows()]
    outputs = version.run(requests(contents))
    assert set(outputs["pixels_of_image"]["valid"].tolist()) == {True, False}
    assert_as_a_row_of_a_batch(outputs, contents, first.exported.manifest.image_input)


def test_loaded_as_serving_does_it_answers_the_same(first: Publication) -> None:
    """In a session, as a server runs it, the answers are the same too, and a broken image is refused."""
    whole = [encoded(gradient(), "JPEG", exif=exif(6, ">")), encoded(gradient(), "WEBP"), *as_cameras_write_them()]
    contents = [half_a("JPEG"), b"text", *whole]
    outputs = run_as_serving_loads(first.folder, requests(contents))
    assert outputs["pixels_of_image"]["valid"].tolist() == [False, False, *[True] * len(whole)]
    assert_as_a_row_of_a_batch(outputs, contents, first.exported.manifest.image_input)


BROKEN = {
    "only a JPEG's mark",
    "animated WebP that claims to be still, with alpha",
    *(f"half a {kind}" for kind in KINDS),
}
"""What has the header of an image."""


@pytest.mark.parametrize("kind", sorted(set(REFUSED) - BROKEN - {"animated WebP that claims to be still"}))
def test_what_its_header_refuses_is_not_valid(signature: Any, kind: str) -> None:
    """What is no image by its first bytes is not valid, and has zeros; nothing fails."""
    prediction = signature(REFUSED[kind]())
    assert (bool(prediction["valid"]), float(prediction["brightness"]), prediction["pixels"].any()) == (
        False,
        0.0,
        False,
    )


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_what_cannot_be_decoded_fails_as_bad_input(signature: Any, kind: str) -> None:
    """Content whose header is an image's, and that is none, fails with InvalidArgument, and not otherwise."""
    with pytest.raises(tf.errors.InvalidArgumentError):
        signature(REFUSED[kind]())


@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_image_that_declares_too_much_is_refused(signature: Any, kind: str) -> None:
    """A file that declares 400 million pixels is refused, by its header or, as a JPEG, by an error."""
    content = BOMBS[kind](16_000, 16_000)
    if content[:2] == b"\xff\xd8":
        with pytest.raises(tf.errors.InvalidArgumentError, match="too many pixels"):
            signature(content)
    else:
        assert not signature(content)["valid"]


def operations_behind(folder: Path, signature: str) -> set[str]:
    """Return the operations that the outputs of a signature need, those in functions included."""
    (model,) = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs
    functions = {function.signature.name: function for function in model.graph_def.library.function}
    nodes = {node.name: node for node in model.graph_def.node}
    wanted = [_node_of(tensor.name) for tensor in model.signature_def[signature].outputs.values()]
    found: set[str] = set()
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            found |= set(_operations_of(nodes[name], functions))
            wanted += [_node_of(given) for given in nodes[name].input]
    return found


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").split(":", maxsplit=1)[0]


def _operations_of(node: Any, functions: Any) -> Iterator[str]:
    yield node.op
    for attribute in node.attr.values():
        for called in (attribute.func.name, *(each.name for each in attribute.list.func)):
            for inner in functions[called].node_def if called else ():
                yield from _operations_of(inner, functions)


def test_nothing_but_the_image_is_needed(first: Publication) -> None:
    """No pipeline, variable, table or file is behind the signature, and no other input than the image."""

    def suspicious(name: str) -> set[str]:
        marks = ("Dataset", "Variable", "VarHandle", "Table", "ReadFile", "Resource", "Iterator", "Random", "PyFunc")
        return {each for each in operations_behind(first.folder, name) if any(mark in each for mark in marks)}

    assert suspicious("pixels_of_image") == set()
    assert "DecodeJpeg" in operations_behind(first.folder, "pixels_of_image")
    assert "MapDataset" in suspicious("serving_default") or "ParallelMapDatasetV2" in suspicious("serving_default")


def test_few_operations_run_for_a_jpeg(first: Publication) -> None:
    """In a session of one thread few nodes run for a plain JPEG: most of what reads other headers does not."""
    traced = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        definitions = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(first.folder)).signature_def
        definition = definitions["pixels_of_image"]
        fetches = [tensor.name for tensor in definition.outputs.values()]
        given = {definition.inputs["image_bytes"].name: encoded(gradient(), "JPEG")}
        session.run(fetches, given)
        session.run(fetches, given, options=options, run_metadata=traced)
    ran = {node.node_name for device in traced.step_stats.dev_stats for node in device.node_stats}
    assert any("DecodeJpeg" in name for name in ran)
    assert len(ran) <= MOST_OPERATIONS

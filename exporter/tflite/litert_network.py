"""The network of a version as a TFLite file, for servers that run it with LiteRT.

A version whose network cannot become such a file, or answers otherwise there, is published without it: whoever serves
it has the SavedModel, which answers the same.
"""

import gc
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ServedGraph
from contract.versions import LITERT_NETWORK
from exporter.errors import ConversionError
from exporter.proof.parity import Comparison, Reference, compare_pixels, why_refused
from exporter.tflite.conversion import convert_network
from exporter.tflite.interpreter import LiteModel

BY_LITERT = "by LiteRT"
LARGEST_GRAPH_BYTES = 200_000_000
"""To convert a network takes about twenty times its weights of memory: 2 GB for ResNet50, which has 94 MB of them."""


@dataclass(frozen=True)
class NetworkVerdict:
    """How the file compares with the trained model, and None; or None, and in a sentence why there is no file."""

    comparison: Comparison | None
    reason: str | None = None


def write_litert_network(staged: Path, served_graph: ServedGraph, largest_bytes: int = LARGEST_GRAPH_BYTES) -> None:
    """Convert `serving_pixels` of the SavedModel in `staged`, and write the file to its place there.

    Raises:
        ConversionError: it has operations that TFLite lacks, or is too large.
    """
    size = (staged / "saved_model.pb").stat().st_size
    if not served_graph.frozen or size > largest_bytes:
        kept = f"with {size / 1e6:.0f} MB" if served_graph.frozen else "and its weights are not constants"
        raise ConversionError(f"The network is too large to convert, {kept}.")
    target = staged / LITERT_NETWORK
    gc.collect()  # what wrote the SavedModel in this process
    content = convert_network(staged)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)


def judge_network(writing: "Future[None]", staged: Path, reference: Reference) -> NetworkVerdict:
    """Wait for the file and compare its answers with the reference; where it is not good enough, remove it."""
    verdict = _judge(writing, staged / LITERT_NETWORK, reference)
    if verdict.reason:
        (staged / LITERT_NETWORK).unlink(missing_ok=True)
    return verdict


def _judge(writing: "Future[None]", file: Path, reference: Reference) -> NetworkVerdict:
    try:
        writing.result()
    except ConversionError as error:
        return NetworkVerdict(None, str(error))
    except BrokenProcessPool:  # native code gave up, or the memory was not enough
        return NetworkVerdict(None, "The process that converted the network ended before it was done.")
    comparison = compare_pixels(BY_LITERT, LiteModel(file.read_bytes()).predict(reference.pixels), reference)
    if reason := why_refused(comparison, reference):
        return NetworkVerdict(None, f"{reason}.")
    return NetworkVerdict(comparison)

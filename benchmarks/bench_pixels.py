"""From an image's bytes to the pixels that the network takes, without TensorFlow and by the version's graph.

`make bench-pixels ARGS="VERSION FOLDER"` decodes every file under FOLDER (default: the photographs of the tests) as the
version in the folder VERSION is served. It says how many become the same, and what each takes of a processor, image by
image in turns: both work in the thread that calls. Exits with 1 where one differs.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from contract.errors import ContractError
from contract.image_cost.check import why_costly
from contract.manifest import ModelManifest
from contract.versions import MANIFEST
from graft.tables import plain_table, wide_console
from modelserver.engines.graphs.image_decoder import GraphImageDecoder
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.pixels.decoder import PixelDecoder
from modelserver.engines.pixels.errors import BrokenImageError, UnprovedImageError
from modelserver.errors import BadInputError, LoadError
from tests.places import DATA

BAD_INPUT = 2
_ROUNDS = 3

Decode = Callable[[bytes], bytes | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=Path, help="the folder of a published version")
    parser.add_argument("images", type=Path, nargs="?", default=DATA, help="a folder of images")
    options = parser.parse_args(arguments)
    contents = [path.read_bytes() for path in sorted(options.images.rglob("*")) if path.is_file()]
    if not contents:
        print(f"There is no file under {options.images}; give a folder of images.", file=sys.stderr)
        return BAD_INPUT
    try:
        graph = GraphImageDecoder(options.version, SavedGraphs(options.version))
        own = PixelDecoder(ModelManifest.read(options.version / MANIFEST).image_input)
    except (LoadError, ContractError, OSError) as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    return report(contents, own, _by_graph(graph))


def report(contents: Sequence[bytes], own: PixelDecoder, graph: Decode) -> int:
    """Print how the two decoders compare, and return 1 where they differ."""
    outcomes: Counter[str] = Counter()
    compared = []
    for content in contents:
        try:
            mine = _by_own(own)(content)
        except UnprovedImageError as error:
            outcomes[f"left to TensorFlow: {error}"] += 1
            continue
        its = graph(content)
        outcomes["different" if mine != its else "the same pixels" if mine else "refused by both"] += 1
        compared += [content] if mine and mine == its else []
    ways = {"without TensorFlow": _by_own(own), "by the graph": graph}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _, content, (name, decode) in itertools.product(range(_ROUNDS), compared, ways.items()):
        started = time.thread_time()
        decode(content)
        took[name].append(time.thread_time() - started)
    console = wide_console()
    rows = [(outcome, str(count)) for outcome, count in sorted(outcomes.items())]
    console.print(plain_table(("outcome", "images"), rows, to_the_right=("images",)))
    for name, seconds in took.items():
        if seconds:
            mean, middle = sum(seconds) / len(seconds) * 1e3, median(seconds) * 1e3
            console.print(f"{name}: {mean:.2f} ms of a processor an image, median {middle:.2f}")
    return int(outcomes["different"] > 0)


def _by_own(decoder: PixelDecoder) -> Decode:
    def decode(content: bytes) -> bytes | None:
        try:
            decoded = None if why_costly(content) else decoder.decode(content)
        except BrokenImageError:
            return None
        return decoded.pixels.tobytes() if decoded else None

    return decode


def _by_graph(graph: GraphImageDecoder) -> Decode:
    def decode(content: bytes) -> bytes | None:
        try:
            decoded = graph.pixels_of(graph.checked(content))
        except BadInputError:
            return None
        return decoded["pixels"].tobytes() if decoded["valid"] else None

    return decode


if __name__ == "__main__":
    sys.exit(main())

"""Resizes views of chance with the extension in a file, and compares them with the one that is installed.

Run in a process of its own with the sanitizers' library: `python fuzzed_resize.py FILE COUNT`.
"""

import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

import numpy as np

from modelserver.engines.pixels import kernel


def load(file: str) -> Any:
    """Return the extension in a file."""
    loader = ExtensionFileLoader("kernel", file)
    spec = spec_from_loader("kernel", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def drawn_view(chance: np.random.Generator) -> Any:
    """Return pixels that fill their memory to the last byte, or a view that skips, goes backwards or swaps axes."""
    height, width = (int(chance.choice([1, 2, 3, 31, 32, 33, 64, int(chance.integers(1, 200))])) for _ in range(2))
    if chance.random() < 0.05:
        height, width = (65_500, 1) if chance.random() < 0.5 else (1, 65_500)
    down, across, channels = (int(chance.choice([1, 1, 1, -1, 2, -3])) for _ in range(3))
    whole = chance.integers(0, 256, (height * abs(down), width * abs(across), 3 * abs(channels)), np.uint8)
    view = whole[::down, ::across, ::channels]
    return view.transpose(1, 0, 2) if chance.random() < 0.3 else view


def main(file: str, count: int) -> None:
    """Compare as many resizes."""
    tried, chance = load(file), np.random.default_rng(11)
    for number in range(count):
        view = drawn_view(chance)
        shape = (*(int(chance.choice([1, 2, 24, int(chance.integers(1, 300))])) for _ in range(2)), 3)
        results = [np.empty(shape, np.uint8), np.empty(shape, np.uint8)]
        totals = [
            each.resize(view, result, number % 2 > 0) for each, result in zip((tried, kernel), results, strict=True)
        ]
        assert totals[0] == totals[1], (view.shape, view.strides, shape)
        assert (results[0] == results[1]).all(), (view.shape, view.strides, shape)
    sys.stdout.write(f"{count} resizes\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""Dividing the images of classes among splits, without dividing a group of copies."""

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path

import numpy as np

Groups = Mapping[int, list[Path]]
"""The images of a class by the number of their group, in the order of the groups' first images."""


def divide(
    classes: Sequence[Groups], sizes: Callable[[int], Sequence[int]], seed: int, *, by_images: bool = True
) -> list[list[list[Path]]]:
    """Return the images of each class in each part, `[class][part]`, in the order of their names.

    `sizes` says how large all parts but the last are to be, of so many images of a class; a group that would take a
    part further from that than leaving it out goes elsewhere, and each part gets a group where there are enough. If not
    `by_images`, groups are counted instead. Each class is divided by itself, by the seed and its number; only groups
    with images of several classes are where the class with the fewest groups has them.
    """
    parts: dict[int, int] = {}
    for label in sorted(range(len(classes)), key=lambda label: len(classes[label])):
        weights = {group: len(images) if by_images else 1 for group, images in classes[label].items()}
        _choose(weights, parts, sizes(sum(weights.values())), np.random.default_rng([seed, label]))
    count = len(sizes(1)) + 1
    return [
        [
            sorted(path for group, images in its.items() if parts[group] == part for path in images)
            for part in range(count)
        ]
        for its in classes
    ]


def _choose(
    weights: Mapping[int, int], parts: MutableMapping[int, int], sizes: Sequence[int], random: np.random.Generator
) -> None:
    """Add the part of each group that has none yet to `parts`."""
    held: Counter[int] = Counter()
    for group, weight in weights.items():
        if group in parts:
            held[parts[group]] += weight
    undecided = [group for group in weights if group not in parts]
    left = [undecided[place] for place in random.permutation(len(undecided))]
    for part, size in enumerate(sizes):
        still_empty = sum(not held[later] for later in range(part + 1, len(sizes) + 1))
        for group in _fitting(left, weights, size - held[part], still_empty, needs_one=not held[part]):
            parts[group] = part
            left.remove(group)
    for group in left:
        parts[group] = len(sizes)


def _fitting(
    left: Sequence[int], weights: Mapping[int, int], wanted: int, spared: int, *, needs_one: bool
) -> list[int]:
    """Return groups of about `wanted` images together, without the last `spared`; at least one if it `needs_one`."""
    chosen: list[int] = []
    for group in left:
        if wanted <= 0 or len(left) - len(chosen) <= spared:
            break
        if weights[group] <= 2 * wanted:
            chosen.append(group)
            wanted -= weights[group]
    if not chosen and needs_one and left:
        chosen.append(min(left, key=lambda group: weights[group]))
    return chosen

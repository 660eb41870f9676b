"""A contact sheet that shows what augmentation does to images."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from trainer.augmentation.pipeline import Augmentation
from trainer.augmentation_settings import Step

_WIDEST = 1400  # pixels of a sheet: a laptop shows it without scrolling sideways
_SMALLEST_CELL, _LARGEST_CELL = 96, 224
_GAP, _MARGIN, _LINE = 10, 18, 17
_TITLE_SIZE, _TEXT_SIZE = 17, 13
_INK, _PALE, _PAPER = (30, 30, 30), (110, 110, 110), (255, 255, 255)


@dataclass(frozen=True)
class _Column:
    """Images, uint8 [P, H, W, 3], below a heading, with the caption lines below each."""

    heading: str
    images: npt.NDArray[np.uint8]
    captions: list[list[str]]


def write_contact_sheet(
    target: Path,
    images: npt.NDArray[np.uint8],
    captions: Sequence[str],
    steps: Sequence[Step],
    seed: int,
    variants: int = 7,
) -> None:
    """Write a PNG with a row for each image: itself, then `variants` of it as they are used in training.

    Args:
        target: the file to write.
        images: uint8 [P, H, W, 3]; mixing steps mix them with each other.
        captions: the class name of each image.
        steps: the augmentation.
        seed: seed of the draws; the same one gives the same file.
        variants: number of variants of each image.
    """
    original = _Column("original", images, [[caption] for caption in captions])
    varied = _vary(images, captions, steps, seed, variants)
    _draw_sheet([original, *varied], _title(steps)).save(target, "PNG")


def describe_label(label: npt.NDArray[np.float32], classes: Sequence[str]) -> list[str]:
    """Return lines such as `62 % roses` and `38 % tulips`, largest share first; a single class is its name alone."""
    shares = [(classes[index], round(100 * float(label[index]))) for index in np.argsort(-label, kind="stable")]
    if shares[0][1] == 100:
        return [shares[0][0]]
    return [f"{percent} % {name}" for name, percent in shares if percent > 0]


def _vary(
    images: npt.NDArray[np.uint8], names: Sequence[str], steps: Sequence[Step], seed: int, variants: int
) -> Iterator[_Column]:
    augmentation = Augmentation(steps)
    classes = sorted(set(names))
    labels = np.eye(len(classes), dtype=np.float32)[[classes.index(name) for name in names]]
    for variant in range(variants):
        pair = tf.constant([seed % 2**31, variant], tf.int32)
        varied, mixed = augmentation(tf.constant(images), tf.constant(labels), pair)
        captions = [describe_label(label, classes) if augmentation.mixes_labels else [] for label in mixed.numpy()]
        yield _Column("as training sees it" if variant == 0 else "", np.round(varied).astype(np.uint8), captions)


def _title(steps: Sequence[Step]) -> str:
    if not steps:
        return "No augmentation: training sees images as they are"
    return "Augmentation: " + ", ".join(_describe(step) for step in steps)


def _describe(step: Step) -> str:
    """Return a text such as `flip (horizontal)` or `rotation (degrees 10)`."""
    values = step.model_dump(exclude={"kind"}).items()
    settings = [name if value is True else f"{name} {value:g}" for name, value in values if value is not False]
    return step.kind.replace("_", " ") + (f" ({', '.join(settings)})" if settings else "")


def _draw_sheet(columns: Sequence[_Column], title: str) -> Image.Image:
    wide = (_WIDEST - 2 * _MARGIN + _GAP) // len(columns) - _GAP
    wide = min(max(wide, _SMALLEST_CELL), _LARGEST_CELL)
    rows, height, width, _ = columns[0].images.shape
    high = round(wide * height / width)
    lines = max(len(caption) for column in columns for caption in column.captions)
    row_height = high + lines * _LINE + _GAP
    sheet_width = 2 * _MARGIN - _GAP + len(columns) * (wide + _GAP)
    title_lines = _wrapped(title, _font(_TITLE_SIZE, bold=True), sheet_width - 2 * _MARGIN)
    top = _MARGIN + len(title_lines) * (_LINE + 6) + _LINE + _GAP
    sheet = Image.new("RGB", (sheet_width, top + rows * row_height + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(title_lines):
        pen.text((_MARGIN, _MARGIN + number * (_LINE + 6)), line, _INK, _font(_TITLE_SIZE, bold=True))
    for number, column in enumerate(columns):
        left = _MARGIN + number * (wide + _GAP)
        pen.text((left, top - _LINE - 4), column.heading, _PALE, _font(_TEXT_SIZE))
        _draw_column(sheet, column, left, top, (wide, high), row_height)
    return sheet


def _draw_column(
    sheet: Image.Image, column: _Column, left: int, top: int, cell: tuple[int, int], row_height: int
) -> None:
    pen, font = ImageDraw.Draw(sheet), _font(_TEXT_SIZE)
    for image, caption in zip(column.images, column.captions, strict=True):
        sheet.paste(Image.fromarray(image).resize(cell, Image.Resampling.LANCZOS), (left, top))
        for number, line in enumerate(caption):
            pen.text((left, top + cell[1] + 2 + number * _LINE), _shortened(line, font, cell[0]), _INK, font)
        top += row_height


@functools.cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return a font of matplotlib: Pillow's built-in one has Latin letters only."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"

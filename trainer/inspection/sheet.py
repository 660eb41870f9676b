"""The contact sheet of a folder: one self-contained HTML page, with images of each class, copies and broken files."""

import base64
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from contract.image_files.end_marks import with_end
from contract.plain_text import plain_text
from trainer.data.orientation.in_bytes import turned_upright
from trainer.inspection.decoding import UNREADABLE, as_rgb
from trainer.inspection.results import CopyGroup, FolderInspection, FoundImage

_SIDE = 176
_QUALITY = 72
_MOST_THUMBNAILS = 800
"""Of classes, with some 6 KB each: the page stays one that a browser opens at once."""

_MOST_GROUPS, _MOST_IN_GROUP = 60, 6
_MOST_NAMED = 500


class _Thumbnail(NamedTuple):
    """An image of the page; `uri` is empty where it could not be read again."""

    file: str
    uri: str
    image: FoundImage | None = None


class _Copies(NamedTuple):
    """A group of copies as shown, and how many of its images are not."""

    group: CopyGroup
    thumbnails: Sequence[_Thumbnail]
    more: int


def render_sheet(found: FolderInspection, folder: Path) -> str:
    """Return the page as HTML: no scripts, nothing from elsewhere, each image as a small JPEG within."""
    template = _environment().get_template("sheet.html.jinja")
    groups = sorted(found.copies, key=lambda group: (not group.across, not group.same_content))
    each = max(1, _MOST_THUMBNAILS // max(1, len(found.classes)))
    shown = found.classes[:_MOST_THUMBNAILS]
    return template.render(
        found=found,
        classes=[(of, [_thumbnail(folder, file) for file in found.samples[of.name][:each]]) for of in shown],
        copies=[_copies(folder, group) for group in groups[:_MOST_GROUPS]],
        most_named=_MOST_NAMED,
        largest=max((of.images for of in found.classes), default=0),
    )


def _copies(folder: Path, group: CopyGroup) -> _Copies:
    shown = group.images[:_MOST_IN_GROUP]
    return _Copies(group, [_thumbnail(folder, of.file, of) for of in shown], len(group.images) - len(shown))


def _thumbnail(folder: Path, file: str, image: FoundImage | None = None) -> _Thumbnail:
    small = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes that were accepted before
            content = with_end((folder / file).read_bytes())
            with Image.open(io.BytesIO(content)) as opened:
                opened.draft("RGB", (2 * _SIDE, 2 * _SIDE))
                upright = as_rgb(turned_upright(opened, content))
            upright.thumbnail((_SIDE, _SIDE))
            upright.save(small, "JPEG", quality=_QUALITY)
    except UNREADABLE:  # changed since it was decoded
        return _Thumbnail(file, "", image)
    return _Thumbnail(file, f"data:image/jpeg;base64,{base64.b64encode(small.getvalue()).decode('ascii')}", image)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trainer.inspection", "."),
        autoescape=True,  # names of classes and files come from users
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain_text, "count": lambda value: f"{value:,}"}
    return environment

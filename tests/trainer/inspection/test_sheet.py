"""The contact sheet: one page that works offline, shows what was found, and shows names as text."""

import html
import re
import shutil
from pathlib import Path

import pytest

from contract.image_input import ImageInput
from contract.plain_text import plain_text
from tests.drawn.images import write_classes
from tests.trainer.inspection.made_up import made_up_inspection
from trainer.config import TrainingConfig
from trainer.inspection.folder import inspect_folder
from trainer.inspection.sheet import render_sheet
from trainer.progress import Progress


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a folder with an image in two classes, and a broken one."""
    folder = write_classes(tmp_path_factory.mktemp("photos"), per_class=12)
    shutil.copy(folder / "red" / "00.jpg", folder / "blue" / "again.jpg")
    (folder / "green" / "00.jpg").write_bytes(b"")
    found = inspect_folder(folder, TrainingConfig(), ImageInput(height=64, width=64), Progress())
    return render_sheet(found, folder)


def test_the_page_works_offline(page: str) -> None:
    """No script, no address, and the only images are within; a policy says so to the browser."""
    assert "<script" not in page
    assert not re.search(r"https?://|url\(|@import|<link", page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert set(re.findall(r'src="([^,"]+)', page)) == {"data:image/jpeg;base64"}


def test_the_page_shows_images_copies_and_broken_files(page: str) -> None:
    """Eight images of each class, both images of the copy side by side, and the broken file with its reason."""
    alternatives = re.findall(r'<img src="[^"]+" alt="([^"]+)"', page)
    assert len(alternatives) == page.count("<img") == 3 * 8 + 2
    assert [alt for alt in alternatives if alt.startswith("Copy")] == ["Copy: blue/again.jpg", "Copy: red/00.jpg"]
    assert sum(alt.startswith("green: green/") for alt in alternatives) == 8
    assert '<bdi>green/00.jpg</bdi>: <span class="wrong">the file is empty</span>' in page
    assert "Training would refuse this folder." in page
    assert "In two classes:" in page or "In two splits and two classes:" in page


@pytest.mark.parametrize("name", ["<b>&\"'", "[m8] :star:", "a\u202eb\nc\x1b[31m", "\udcff", "日本 x\u200cy"])
def test_names_are_text(tmp_path: Path, name: str) -> None:
    """Whatever a name is, it is in the page as text, with control characters and turns of direction escaped."""
    page = render_sheet(made_up_inspection(name), tmp_path)
    page.encode()
    assert (
        page.count(f"<bdi>{html.escape(plain_text(name)).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}</bdi>")
        > 4
    )
    assert not set(page) & {"\x1b", "\u202e", "\udcff"}
    assert "cannot be read any more" in page

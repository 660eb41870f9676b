"""The page in a real browser: an image in, its labels out."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import ExifTags, Image

from tests.browser import PHONE, broken_words, low_contrasts, scroll_width
from tests.fakes.model_server import LABELS, label_for, probabilities_for
from tests.gateway.images import draw
from tests.gateway.page.conftest import ODD_LABELS, Site
from tests.gateway.page.visit import visiting
from tests.gateway.running import running_gateway
from tests.gateway.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGE, OTHER = draw(colour=10), draw(colour=90)
ODD_NAME = 'it\'s $(touch evil) `touch evil`; "100%" é #1.jpg'
DESKTOP = {"width": 1200, "height": 900}


def shown(image: bytes, labels: tuple[str, ...] = LABELS) -> list[tuple[str, str]]:
    """Return labels and percentages of an image as the page shows them."""
    ranked = sorted(zip(labels, probabilities_for(image, len(labels)), strict=True), key=lambda pair: -pair[1])
    return [(label, f"{100 * share:.1f}\u00a0%") for label, share in ranked]


@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "dark")], ids=["phone", "dark phone", "desktop"]
)
def test_an_image_has_its_labels(browser: "Browser", site: Site, scheme: str, size: dict[str, int]) -> None:
    """Labels, bars, version and accuracy with its interval are shown, legible, in the window's width."""
    with visiting(browser, site.address, color_scheme=scheme, viewport=size) as visit:
        visit.choose(IMAGE)
        assert visit.prediction() == shown(IMAGE)
        widths = visit.page.eval_on_selector_all(
            "#bars i", "bars => bars.map(({ style }) => +style.getPropertyValue('--share'))"
        )
        assert widths == sorted(probabilities_for(IMAGE, 3), reverse=True)
        facts = visit.page.inner_text("#facts")
        assert "flowers 2" in facts
        assert "86.7\u00a0% of 90 test images; 95\u00a0% interval 78.1\u00a0% to 92.2\u00a0%" in facts
        assert f"{label_for(IMAGE)}, " in visit.page.inner_text("[role=status]")
        assert visit.page.evaluate("document.getElementById('image').naturalWidth") == 8
        assert scroll_width(visit.page) == size["width"]
        assert broken_words(visit.page) == []
        assert low_contrasts(visit.page) == []


def test_a_photo_is_shown_upright(browser: "Browser", site: Site) -> None:
    """A photo that its camera turned is shown as its orientation says, and predicted from the same bytes."""
    turned, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (16, 8)).save(turned, "JPEG", exif=exif)
    with visiting(browser, site.address) as visit:
        visit.choose(turned.getvalue())
        assert visit.prediction() == shown(turned.getvalue())
        size = "[document.getElementById('image').naturalWidth, document.getElementById('image').naturalHeight]"
        assert visit.page.evaluate(size) == [8, 16]


def test_a_model_that_becomes_available_is_listed_by_itself(browser: "Browser", site: Site) -> None:
    """While a model is not available the page looks again, and has it as soon as it is."""
    with running_gateway(
        model_server=site.model_server.address, models=("flowers", "late"), poll_interval_seconds=0.05
    ) as client:
        wait_until(lambda: bool(client.get("/v1/models").json()["models"][0]["available"]))
        with visiting(browser, f"{client.base_url}/") as visit:
            assert "late" in visit.page.locator("#models tr").last.inner_text()
            site.model_server.publish("late", 1)
            visit.page.wait_for_selector("#models tr:has-text('late'):has-text('AVAILABLE')")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_an_image_is_dropped_or_pasted(browser: "Browser", site: Site, how: str) -> None:
    """An image that is dropped or pasted is predicted as a chosen one."""
    with visiting(browser, site.address) as visit:
        visit.give(how, OTHER)
        assert visit.prediction() == shown(OTHER)


def test_a_photo_is_taken(browser: "Browser", site: Site) -> None:
    """The camera's image is predicted, and can be saved for the command."""
    with visiting(browser, site.address, viewport=DESKTOP) as visit:
        visit.page.click("#camera")
        visit.page.click("#shoot")
        assert len(visit.prediction()) == 3
        assert visit.page.inner_text("#file-name") == "photo.jpg"
        with visit.page.expect_download() as saved:
            visit.page.click("#save")
        assert saved.value.suggested_filename == "photo.jpg"
        assert (
            site.model_server.predict_requests[-1].inputs["image_bytes"].string_val[0]
            == Path(saved.value.path()).read_bytes()
        )
        assert not visit.page.locator("#camera-dialog").is_visible()


def test_every_model_and_version_is_listed(browser: "Browser", site: Site) -> None:
    """All are in the table, those that are served can be chosen, and the same image is predicted by the other."""
    with visiting(browser, site.address) as visit:
        rows = [row.inner_text().split() for row in visit.page.locator("#models tr").all()]
        assert [row[:3] for row in rows] == [
            ["flowers", "3", "LOADING"],
            ["flowers", "2", "AVAILABLE"],
            ["flowers", "1", "AVAILABLE"],
            ["odd", "1", "AVAILABLE"],
        ]
        options = visit.page.locator("#version option")
        assert options.all_inner_texts() == ["newest (2)", "3 (loading)", "2", "1"]
        assert options.nth(1).is_disabled()
        visit.choose(IMAGE)
        visit.prediction()
        visit.page.select_option("#version", "1")
        visit.version("flowers 1")
        assert "not recorded" in visit.page.inner_text("#facts")
        visit.page.select_option("#model", "odd")
        visit.version("odd 1")
        assert visit.page.locator("#version option").all_inner_texts() == ["newest (1)", "1"]


def test_labels_are_text(browser: "Browser", site: Site) -> None:
    """A label that looks like markup, one that turns the line around and a very long one change nothing else."""
    with visiting(browser, site.address) as visit:
        visit.page.select_option("#model", "odd")
        visit.choose(IMAGE, name="w" * 200 + ".jpg")
        assert visit.prediction() == shown(IMAGE, ODD_LABELS)
        assert visit.page.locator("#bars img").count() == 0
        assert scroll_width(visit.page) == PHONE["width"]


def test_a_refused_file_has_the_words_of_the_gateway(browser: "Browser", site: Site) -> None:
    """What is not an image, a cut one and a large one are refused in the gateway's sentences; the next is predicted."""
    cut = draw(colour=30)[:-60]
    with visiting(browser, site.address) as visit:
        for content, name, kind in (
            (b"notes", "notes.txt", "text/plain"),
            (cut, "cut.jpg", "image/jpeg"),
            (bytes(200_000), "large.jpg", "image/jpeg"),
        ):
            visit.choose(content, name, kind)
            refused = site.client.post("/v1/predict", content=content, headers={"Content-Type": "image/x"}).json()
            visit.page.wait_for_selector(f"#problem:has-text('{refused['code']}')")
            assert refused["detail"] in visit.problem()
            assert visit.page.locator("#result").is_hidden()
        visit.choose(IMAGE)
        assert visit.prediction() == shown(IMAGE)
        assert visit.page.locator("#problem").is_hidden()


def test_the_command_makes_the_same_request(browser: "Browser", site: Site, tmp_path: Path) -> None:
    """The line that is shown and copied works as it is, whatever the file is called, and gets the same prediction."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    (tmp_path / ODD_NAME).write_bytes(IMAGE)
    with visiting(browser, site.address, permissions=["clipboard-read", "clipboard-write"]) as visit:
        visit.page.select_option("#version", "1")
        visit.page.set_input_files("#file", tmp_path / ODD_NAME)
        predicted = visit.prediction()
        visit.page.click("#copy")
        visit.page.wait_for_selector("#copy:text('Copied')")
        command = visit.page.evaluate("navigator.clipboard.readText()")
        assert command == visit.page.inner_text("#curl")
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "no_proxy": "*"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    response = json.loads(ended.stdout)
    assert response["version"] == "1"
    assert [each["label"] for each in response["predictions"][0]["top"]] == [label for label, _ in predicted]
    assert [each.name for each in tmp_path.iterdir()] == [ODD_NAME]


def test_everything_works_with_a_keyboard(browser: "Browser", site: Site) -> None:
    """Model, version, file, camera and heatmap are reached with Tab, in this order, and the file shows its focus."""
    with visiting(browser, site.address) as visit:
        keyboard, reached = visit.page.keyboard, []
        for _ in range(5):
            keyboard.press("Tab")
            reached.append(visit.page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        assert reached == ["API", "model", "version", "file", "camera"]
        keyboard.press("Shift+Tab")
        outline = "getComputedStyle(document.querySelector('#file + label')).outlineStyle"
        assert visit.page.evaluate(outline) == "solid"
        with visit.page.expect_file_chooser() as chooser:
            keyboard.press("Enter")
        chooser.value.set_files({"name": "rose.jpg", "mimeType": "image/jpeg", "buffer": IMAGE})
        assert visit.prediction() == shown(IMAGE)
        keyboard.press("Tab")
        keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.id") == "heatmap-shown"
        keyboard.press("Space")
        visit.page.wait_for_selector("#heatmap:not([hidden])")
        visit.page.focus("#version")
        keyboard.press("End")
        visit.version("flowers 1")


def test_a_heatmap_is_shown_where_the_version_has_one(browser: "Browser", site: Site) -> None:
    """The heatmap lies over the image, cold where it is 0 and hot where it is 1; other versions offer none."""
    with visiting(browser, site.address) as visit:
        visit.choose(IMAGE)
        visit.prediction()
        visit.page.check("#heatmap-shown")
        visit.page.wait_for_selector("#heatmap:not([hidden])")
        pixels = visit.page.evaluate(
            "[...document.getElementById('heatmap').getContext('2d').getImageData(0, 0, 2, 2).data]"
        )
        assert [pixels[at] for at in (3, 7, 11, 15)] == [0, 50, 200, 100]
        boxes = [visit.page.locator(each).bounding_box() for each in ("#image", "#heatmap")]
        assert boxes[0] == boxes[1]
        visit.page.select_option("#version", "1")
        visit.version("flowers 1")
        assert visit.page.locator("#heatmap-choice").is_hidden()
        assert visit.page.locator("#heatmap").is_hidden()

"""The report of a run: one page that says what `metrics.json` says."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.runs import PER_CLASS, TWO_PHASES, make_report, phase
from trainer.report.content import Report
from trainer.report.page import render_report, write_report
from trainer.runs.record import WITHOUT_TEST

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}$\\frac$"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page, taken apart: its elements, its visible text, and the numbers of its `<data>` elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that is closed at once, as SVG has them."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that what is closed is what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather the text."""
        if self.open[-1:] != ["style"]:
            self.text += data

    def metrics(self) -> list[tuple[str, Any]]:
        """Return the dotted name and the value of each number that the page shows."""
        return [
            (attributes["data-metric"] or "", json.loads(attributes["value"] or "null"))
            for tag, attributes in self.elements
            if tag == "data"
        ]

    def tags(self, name: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for tag, attributes in self.elements if tag == name]


def leaves(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each number of the metrics with its dotted name."""
    if isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, values


def page_of(report: Report) -> Page:
    page = Page(render_report(report))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def full() -> tuple[Report, Page]:
    """A report with everything in it."""
    report = make_report(
        figures=True,
        baselines={"features": 2.5, "scratch": 0.5},
        left_out=["daisy/broken.jpg: the file ends too early"],
        skipped=["notes.txt"],
        leaks=["test/a.jpg is the same image as train/b.jpg"],
        class_weights={"daisy": 1.0, "roses": 0.5, "tulips": 2.0},
    )
    return report, page_of(report)


@pytest.mark.parametrize("classes", [2, 5, 30, 120])
def test_the_page_shows_the_numbers_of_the_metrics(classes: int) -> None:
    """Every number on the page is that of `metrics.json`, to its last digit, and no result is left out.

    Of 120 classes the confusions are listed by size, since a matrix of them could not be read.
    """
    report = make_report([f"class {index}" for index in range(classes)], baselines={"features": 2.0})
    expected = dict(leaves(json.loads(json.dumps(report.record.metrics))))
    page = page_of(report)
    shown = page.metrics()
    assert [(name, value) for name, value in shown if expected[name] != value] == []
    missing = {name for name in expected if name.startswith(("test.", "calibration.", "phases."))} - {
        name for name, _ in shown
    }
    allowed = r"phases\.\d+\.phase" + (r"|test\.confusion\..*" if classes > 30 else "")
    assert [name for name in missing if not re.fullmatch(allowed, name)] == []
    assert ("The most frequent confusions" in page.text) == (classes > 30)


def test_rounded_numbers_are_those_of_the_metrics(full: tuple[Report, Page]) -> None:
    """What a person reads is the value, rounded."""
    report, page = full
    accuracy = report.record.metrics["test"]["accuracy"]
    assert f"{100 * accuracy:.1f}\N{NO-BREAK SPACE}%of {PER_CLASS * 3} test images" in page.text.replace("\n", "")


def test_the_page_is_one_file(full: tuple[Report, Page]) -> None:
    """Nothing is fetched from elsewhere, nothing is run, and the browser is told to refuse both."""
    page = full[1]
    links = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")]
    assert all((link or "").startswith(("data:image/jpeg;base64,", "#")) for link in links)
    assert "script" not in {tag for tag, _ in page.elements}
    assert not re.search(r"url\((?!#)|@import", page.html)
    assert {"http-equiv": "Content-Security-Policy"}.items() <= page.tags("meta")[3].items()
    assert (page.tags("meta")[3]["content"] or "").startswith("default-src 'none'")


def test_names_from_users_stay_text() -> None:
    """A class or file whose name is HTML, a template or a formula is shown as it is called."""
    report = make_report((ATTACK, "b"), strength=0.5, left_out=[ATTACK], leaks=[ATTACK])
    report = replace(report, record=report.record.model_copy(update={"name": ATTACK, "notes": (ATTACK,)}))
    page = page_of(report)
    assert page.text.count(ATTACK) > 5
    assert {tag for tag, _ in page.elements} & {"script"} == set()
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert all((attributes["src"] or "").startswith("data:image/jpeg") for attributes in page.tags("img"))


def test_the_same_report_is_the_same_page(full: tuple[Report, Page]) -> None:
    """Two renderings have the same bytes: no dates, no random ids."""
    assert render_report(full[0]) == full[1].html


def test_ids_are_unique(full: tuple[Report, Page]) -> None:
    """Figures do not share ids, since a browser would clip one by another's frame."""
    ids = [attributes["id"] for _, attributes in full[1].elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", full[1].html))
    assert used <= set(ids)


def test_the_page_fits_a_phone(full: tuple[Report, Page]) -> None:
    """The page has a phone's width, figures scale with it, and every table can be scrolled by itself."""
    html = full[1].html
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in full[1].tags("meta")
    assert all("width" not in attributes for attributes in full[1].tags("svg"))
    assert html.count("<table") == html.count('<div class="scroll"><table')
    assert "prefers-color-scheme: dark" in html


def test_figures_have_the_colours_of_the_page(full: tuple[Report, Page]) -> None:
    """No figure has a colour of its own, which would vanish on a dark page."""
    drawn = "".join(re.findall(r"<svg.*?</svg>", full[1].html, re.DOTALL))
    assert "var(--accent)" in drawn
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)


def test_curves_have_the_bounds_of_phases_and_stages(full: tuple[Report, Page]) -> None:
    """The figure names the second phase, the stage with more layers, and the epoch that was kept."""
    loss = re.findall(r"<svg.*?</svg>", full[1].html, re.DOTALL)[0]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", loss)
    assert {"phase two", "40 layers", "kept", "training", "validation"} <= set(texts)


def test_what_weakens_the_result_is_said_first(full: tuple[Report, Page]) -> None:
    """Leaks, images that were left out and wide intervals stand before any figure."""
    beginning = full[1].text.partition("Training curves")[0]
    assert "1 image found in two splits" in beginning
    assert "1 image left out" in beginning
    assert "With 60 test images the accuracy is only known to lie between" in beginning


def test_baselines_are_compared(full: tuple[Report, Page]) -> None:
    """Each baseline has its accuracy with an interval, and whether the model is better by more than chance."""
    text = full[1].text
    assert "linear probe on the frozen base" in text
    assert "It is ahead of the baseline “the same network from scratch”" in text
    assert "more than chance at the 5 % level (McNemar, p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.0001)" in text


def test_from_scratch_has_one_phase() -> None:
    """A run from scratch has no gate, no second phase and no bound in its curves."""
    report = make_report(epochs=phase("from_scratch", 5, 1.0), kept="from_scratch")
    page = page_of(replace(report, record=report.record.model_copy(update={"gate": None})))
    assert "Trained from scratch, every layer in one phase; epoch 5 is kept" in page.text
    assert "phase two" not in page.text
    assert "settled" not in page.text


def test_phase_one_alone_says_so() -> None:
    """Where phase two did not run, the page says that phase one's weights are kept, and why."""
    report = make_report(epochs=phase("phase_one", 4, 1.0), kept="phase_one")
    gate = report.record.gate
    assert gate is not None
    closed = gate.model_copy(update={"opened": False, "reason": "Phase two was left out, since the head is restless."})
    page = page_of(replace(report, record=report.record.model_copy(update={"gate": closed})))
    assert "Phase one's weights are kept; phase two did not run" in page.text
    assert "since the head is restless (validation loss 0.460, bound 0.500)." in page.text


def test_notes_of_the_run_are_shown_once() -> None:
    """What the run noted stands among the warnings, except for the gate's reason, which is a finding."""
    report = make_report()
    assert report.record.gate is not None
    notes = ("Phase two, last 40 layers: undone.", report.record.gate.reason)
    text = page_of(replace(report, record=report.record.model_copy(update={"notes": notes}))).text
    assert text.count(notes[0]) == 1
    assert text.count("The head has settled") == 1


def test_weak_classes_are_named(full: tuple[Report, Page]) -> None:
    """Classes are sorted by rising F1, and the report warns of those with less than half of the images right."""
    report = make_report([f"class {index}" for index in range(6)], strength=1.5)
    per_class = report.record.metrics["test"]["per_class"]
    page = page_of(report)
    shown = [value for name, value in page.metrics() if re.fullmatch(r"test\.per_class\..*\.f1", name)]
    assert shown == sorted(each["f1"] for each in per_class.values())
    weak = [name for name, each in per_class.items() if each["recall"] < 0.5]
    assert weak
    assert f"Less than half of the images of {', '.join(weak)} are predicted correctly." in page.text
    assert "Less than half" not in full[1].text


def test_a_lost_phase_two_says_so() -> None:
    """Where phase two was worse, both phases' scores are there to see."""
    text = page_of(make_report(kept="phase_one")).text
    assert "Phase one's weights are kept, since phase two did not improve on them: validation loss 0.759" in text


def test_the_epoch_that_was_kept_is_the_one_with_its_loss() -> None:
    """Where an earlier epoch than that of the lowest loss was kept, that one is named."""
    report = make_report()
    assert report.kept_epoch == len(TWO_PHASES) - 1
    assert replace(report, kept_val_loss=TWO_PHASES[10].val_loss).kept_epoch == 10


def test_missing_parts_are_left_out() -> None:
    """Without epochs, mistakes, baselines, calibration and reference there is still a page."""
    report = make_report(strength=40.0, epochs=())
    bare = report.record.model_copy(
        update={"metrics": {"test": report.record.metrics["test"]}, "reference": None, "gate": None}
    )
    page = page_of(replace(report, record=bare, reliability=None))
    assert page.tags("svg") == []
    assert "Every test image was predicted correctly." in page.text
    assert "Compared with" not in page.text


def test_without_a_test_split_the_page_says_so() -> None:
    """The results are those of the validation images then, and it is said that they chose the epoch."""
    report = make_report(figures=True)
    metrics = {name: value for name, value in report.record.metrics.items() if name != "test"}
    metrics["calibration"] = {"temperature": metrics["calibration"]["temperature"]}
    record = report.record.model_copy(update={"metrics": metrics, "notes": (WITHOUT_TEST,)})
    page = page_of(replace(report, record=record))
    shown = dict(page.metrics())
    assert shown["validation.accuracy"] == metrics["validation"]["accuracy"]
    assert not [name for name in shown if name.startswith("test.")]
    assert "validation images are classified correctly" in page.text
    assert WITHOUT_TEST in page.text
    assert not re.search(r"\btest images\b", page.text)


def test_settings_that_differ_are_listed() -> None:
    """A setting that is not the default is shown beside it."""
    report = make_report()
    config = report.config.model_copy(update={"seed": 7})
    html = render_report(replace(report, config=config))
    row = '<tr><th><code>seed</code></th><td class="text"><code>7</code></td><td class="text"><code>1</code></td></tr>'
    assert html.count(row) == 1
    assert "1 setting differs from the defaults" in html


def test_a_page_of_24_mistakes_is_small(tmp_path: Path) -> None:
    """The file with a full gallery is well below two megabytes, and is what was rendered."""
    report = make_report(strength=0.1)
    write_report(tmp_path / "report.html", report)
    assert len(report.mistakes) == 24
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    assert (tmp_path / "report.html").read_text("utf-8") == render_report(report)

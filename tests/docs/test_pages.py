"""The documents as a whole: what leads where, what is promised, and that commands which they name exist."""

import re
from pathlib import Path

import pytest
import yaml

from tests.places import ROOT
from tests.repository import tracked_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [path for path in tracked_files() if path.suffix == ".md"]
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def links(text: str) -> list[str]:
    """Return the files that a page of Markdown links to."""
    return [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def test_the_readme_leads_to_every_page() -> None:
    """Every page of docs/ is linked from the README."""
    pages = {path.as_posix() for path in PAGES if path.parent == Path("docs")}
    assert pages - set(links(README)) == set()
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "docs/decisions/README.md"} <= set(links(README))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_link_is_broken(page: Path) -> None:
    """Every link to a file leads to one."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = [link for link in links(text) if link and not (ROOT / page.parent / link).exists()]
    assert broken == []


def test_the_readme_opens_with_what_it_is_and_two_commands() -> None:
    """Title, at most five lines of text, then `make demo` and `make test`."""
    opening, _, rest = README.partition("```console\n")
    title, *lines = [line for line in opening.splitlines() if line]
    assert title == "# Graft"
    assert 1 <= len(lines) <= 5
    commands = [line.split("#")[0].strip() for line in rest.partition("```")[0].splitlines()]
    assert commands == ["$ make demo", "$ make test"]


def test_a_feature_is_one_line() -> None:
    """Each entry of the list of features is one line with a link to more."""
    features = README.partition("\n## Features\n")[2].partition("\n## ")[0]
    entries = [line for line in features.splitlines() if line.startswith("- ")]
    assert len(entries) > 20
    assert [line for line in features.splitlines() if line.startswith(" ")] == []
    assert [line for line in entries if not links(line)] == []


def test_every_decision_is_listed() -> None:
    """The table of decisions is the folder, in its order, and says which are superseded."""
    listed = links((DECISIONS / "README.md").read_text(encoding="utf-8").partition("\n## ")[0])
    files = sorted(path.name for path in DECISIONS.glob("*.md") if path.name != "README.md")
    assert listed == files


def test_a_decision_has_its_parts() -> None:
    """Each decision has a number, a date and a status."""
    form = re.compile(r"# (\d{4}): .+\n\nDate: \d{4}-\d\d-\d\d\. Status: (decided|superseded by \d{4})[.;]")
    for path in DECISIONS.glob("[0-9]*.md"):
        match = form.match(path.read_text(encoding="utf-8"))
        assert match, path.name
        assert match[1] == path.name[:4]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_targets_that_a_page_names_exist(page: str) -> None:
    """`make X` in the first pages that somebody reads is a target."""
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")))
    assert named
    assert named - TARGETS == set()


def test_ci_calls_the_targets_that_people_call() -> None:
    """Every command of the workflow is a target of the Makefile: on a push what must be green, by schedule the rest."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    called = {name: set(job["strategy"]["matrix"]["target"]) for name, job in jobs.items()}
    assert called == {"commit": {"check", "test"}, "schedule": {"test-slow", "test-containers", "test-wheel"}}
    assert set.union(*called.values()) <= TARGETS
    commands = {step["run"] for job in jobs.values() for step in job["steps"] if "run" in step}
    assert commands == {"make setup", "make ${{ matrix.target }}"}


def test_ci_names_no_host() -> None:
    """The workflow downloads from nowhere by name."""
    assert re.findall(r"https?://|\b[\w-]+\.(?:io|org|com|dev)\b", WORKFLOW.read_text()) == []

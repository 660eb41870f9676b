"""docs/architecture.md is true: every file that it names exists, and it knows every room."""

import re

import pytest

from tests.places import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGES = ("contract", "exporter", "gateway", "graft", "lineage", "modelserver", "trainer")


def section(title: str) -> str:
    """Return the text under one heading."""
    (_, _, rest) = PAGE.partition(f"\n## {title}\n")
    assert rest, f"there is no section {title}"
    return rest.partition("\n## ")[0]


def paths(text: str) -> list[str]:
    """Return what stands in backquotes and is the path of a file or a folder."""
    return re.findall(r"`([\w.-]+/[\w./-]*)`", text)


def test_every_path_exists() -> None:
    """Files that the page names are where it says."""
    named = paths(PAGE)
    assert len(named) > 80
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("title", ["A request", "A run becomes a version", "A version goes to a phone"])
def test_every_step_of_a_walk_has_its_file(title: str) -> None:
    """Each numbered step of the three walks says in which file it happens."""
    steps = re.split(r"^\d+\. ", section(title), flags=re.MULTILINE)[1:]
    assert len(steps) >= 6
    assert [step for step in steps if not [path for path in paths(step) if path.endswith(".py")]] == []


def test_behaviours_are_found_by_name() -> None:
    """The table has at least 25 behaviours, one file each."""
    rows = re.findall(r"^\| ([^|]+) \| `([^`|]+)` \|$", section("Where is ..."), re.MULTILINE)
    assert len(rows) >= 25
    names = " ".join(name for name, _ in rows)
    for wanted in ("body limit", "early stopping", "rollback", "confidence interval", '"latest" run'):
        assert wanted in names
    assert [path for _, path in rows if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_on_the_page(package: str) -> None:
    """Each package's row names all of its folders, and no others."""
    (row,) = re.findall(rf"^\| `{package}/` \| (.*?) \|", section("Folders"), re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert set(re.findall(r"`(\w+)`", row)) == rooms

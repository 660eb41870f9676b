"""The name under which Graft is installed: the index has another project called graft."""

import ast
import re
import tomllib
from typing import Any

import pytest

from tests.places import ROOT
from tests.repository import tracked_files, tracked_texts

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("contract", "exporter", "gateway", "graft", "lineage", "modelserver", "trainer")
OTHER_PROJECT = re.compile(r"\bgraft" r"\[[a-z]|pip install\b[^\n`&;]*['\" ]graft(?![\w-])")
OURS = re.compile(re.escape(PROJECT["name"]) + r"\[([a-z, ]+)\]")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """All text files of the repository."""
    return tracked_texts()


def test_nothing_installs_the_other_project(texts: dict[str, str]) -> None:
    """No document, message or file of settings names the distribution `graft`."""
    found = [f"{name}: {match[0]}" for name, text in texts.items() for match in OTHER_PROJECT.finditer(text)]
    assert found == []


def test_what_is_installed_by_name_exists(texts: dict[str, str]) -> None:
    """Every extra that is named with the distribution is one of pyproject.toml."""
    named = {
        (name, extra.strip())
        for name, text in texts.items()
        for match in OURS.finditer(text)
        for extra in match[1].split(",")
    }
    assert [pair for pair in sorted(named) if pair[1] not in PROJECT["optional-dependencies"]] == []
    assert {name for name, _ in named} >= {"docs/architectures.md", "docs/python.md", "trainer/models/hub.py"}


def test_the_installed_version_is_asked_for_by_that_name() -> None:
    """Whatever asks importlib.metadata for Graft's version gives the distribution's name."""
    requested = []
    for path in tracked_files(*PACKAGES):
        if path.suffix == ".py":
            requested += [(path.as_posix(), name) for name in versions_called(ast.parse((ROOT / path).read_text()))]
    assert [pair for pair in requested if pair[1] != PROJECT["name"]] == []
    assert "trainer/runs/code_version.py" in dict(requested)


def versions_called(tree: ast.Module) -> list[str]:
    """Return the literals with which a module calls importlib.metadata's `version`."""
    called = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "importlib.metadata"
        for alias in node.names
        if alias.name == "version"
    }
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    arguments = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in called]
    return [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def test_the_command_is_still_graft() -> None:
    """The distribution's one command is `graft`."""
    assert PROJECT["scripts"] == {"graft": "graft.cli:main"}

"""The flags of `graft modelserver`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from graft.cli import app
from modelserver.settings import ModelServerSettings

LABELS = "--allow_version_labels_for_unavailable_models"


def _run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graft", "modelserver", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file that labels a version."""
    model = 'config { name: "a" base_path: "/a" model_platform: "tensorflow" version_labels { key: "new" value: 1 } }'
    file = tmp_path / "models.config"
    file.write_text(f"model_config_list {{ {model} }}")
    return file


@pytest.mark.parametrize("flags", [[], [f"{LABELS}=false"], [f"{LABELS}=0"]], ids=["none", "false", "0"])
def test_labels_are_refused_without_their_flag(config: Path, flags: list[str]) -> None:
    """A file with labels ends the server with one sentence unless the flag allows them."""
    done = _run(f"--model_config_file={config}", *flags)
    assert done.returncode == 2
    assert f"{config} labels versions of a before any is loaded" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("spelled", "meant"), [("", True), ("=true", True), ("=false", False), ("=1", True)])
def test_a_switch_is_spelled_alone_or_with_a_value(config: Path, spelled: str, meant: bool) -> None:
    """A switch alone means true, and flags after it are read as usual."""
    verb: Any = get_command(app)
    context = verb.commands["modelserver"].make_context("modelserver", [f"{LABELS}{spelled}", "--port=7"])
    value = context.params["allow_version_labels_for_unavailable_models"]
    settings = ModelServerSettings(model_config_file=config, allow_version_labels_for_unavailable_models=value)
    assert settings.allow_version_labels_for_unavailable_models is meant
    assert context.params["port"] == 7


def test_another_value_of_a_switch_is_refused(config: Path) -> None:
    """A value that is neither true nor false is named."""
    done = _run(f"--model_config_file={config}", f"{LABELS}=maybe")
    assert done.returncode == 2
    assert "allow_version_labels_for_unavailable_models does not fit" in done.stderr
    assert "'maybe'" in done.stderr


def test_a_server_without_models_says_how_to_give_them() -> None:
    """Neither flag for models is a mistake that the sentence helps with."""
    done = _run()
    assert done.returncode == 2
    assert "give --model_base_path for one model, or --model_config_file for several" in done.stderr

"""The flags of `graft modelserver`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from graft.cli import app
from graft.errors import CommandError
from graft.verbs.serving.foreign_flags import FOREIGN
from modelserver.settings import ModelServerSettings
from tests.places import ROOT

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


def test_options_of_grpc_are_read_as_tensorflow_serving_reads_them(config: Path) -> None:
    """Names and values are separated by commas; numbers are numbers, and what is no pair is refused."""
    given = "grpc.max_connection_age_ms=60000,grpc.primary_user_agent=graft"
    settings = ModelServerSettings.model_validate({"model_config_file": config, "grpc_channel_arguments": given})
    assert settings.grpc_channel_arguments == {"grpc.max_connection_age_ms": 60000, "grpc.primary_user_agent": "graft"}
    done = _run(
        f"--model_config_file={config}", f"{LABELS}=true", "--grpc_channel_arguments=grpc.max_connection_age_ms"
    )
    assert done.returncode == 2
    assert "'grpc.max_connection_age_ms' is not a gRPC option; write NAME=VALUE" in done.stderr


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--prot=8500", "There is no flag --prot; the nearest is --port."),
        ("-port=8500", "There is no flag -port; the nearest is --port."),
        ("--model-base-path=/m", "There is no flag --model-base-path; the nearest is --model_base_path."),
        ("--enable_modl_warmup", "There is no flag --enable_modl_warmup; the nearest is --enable_model_warmup."),
        ("--rest_port=1", "There is no flag --rest_port; the nearest is --rest_api_port."),
        (
            "--num_load_threads=4",
            "--num_load_threads is a flag of TensorFlow Serving that this server does not have: versions are loaded "
            "in the background, one at a time; leave it out.",
        ),
    ],
)
def test_a_flag_that_is_not_there_is_refused_in_one_sentence(flag: str, sentence: str) -> None:
    """An unknown flag is answered with the nearest one, and one that only the real server has with the reason."""
    verb: Any = get_command(app)
    with pytest.raises(CommandError) as caught:
        verb.commands["modelserver"].make_context("modelserver", ["--model_base_path=/m", flag])
    assert str(caught.value) == sentence


def test_an_unknown_flag_ends_the_command_with_one_line() -> None:
    """There is no usage text around the sentence, and the exit code is that of bad usage."""
    done = _run("--model_base_path=/m", "--prot=8500")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "There is no flag --prot; the nearest is --port.\n"


def test_flags_are_either_there_or_known_to_be_elsewhere() -> None:
    """No flag is both offered and refused as TensorFlow Serving's own."""
    assert {flag for option in _options() for flag in option.opts} & FOREIGN.keys() == set()


def test_an_empty_name_of_a_file_stands_for_none() -> None:
    """As with the real server, a deployment may leave a file's name empty."""
    verb: Any = get_command(app)
    flags = ["--model_base_path=/m", "--ssl_config_file=", "--monitoring_config_file="]
    params = verb.commands["modelserver"].make_context("modelserver", flags).params
    assert params["ssl_config_file"] is None
    assert params["monitoring_config_file"] is None


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--ssl_config_file=/none"], "The TLS configuration /none cannot be read: No such file or directory."),
        (
            ["--rest_api_port=1", "--monitoring_config_file=/none"],
            "The monitoring configuration /none cannot be read: No such file or directory.",
        ),
        (
            ["--rest_api_port=0", "--monitoring_config_file=/none"],
            "The setting combination does not fit: monitoring_config_file is set without rest_api_port, where metrics "
            "would be shown.",
        ),
        (
            ["--max_num_load_retries=-1"],
            "The setting max_num_load_retries does not fit: Input should be greater than or equal to 0, not -1.",
        ),
    ],
    ids=["tls", "monitoring", "port", "retries"],
)
def test_a_file_that_cannot_be_used_is_refused_before_tensorflow_starts(flags: list[str], sentence: str) -> None:
    """Files that flags name are read first, and the sentence says what is wrong with one."""
    done = _run("--model_base_path=/m", *flags)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{sentence}\n")


def _options() -> list[Any]:
    verb: Any = get_command(app)
    return [option for option in verb.commands["modelserver"].params if option.name != "help"]


@pytest.fixture(scope="module")
def page() -> str:
    """What users read about the model server."""
    return (ROOT / "docs" / "modelserver.md").read_text(encoding="utf-8")


def test_the_page_lists_the_flags(page: str) -> None:
    """The table of flags in docs/modelserver.md has each flag of the verb, and no other."""
    listed = re.findall(r"^\| `(--\w+)` \|", page.partition("## Flags")[2].partition("\n## ")[0], re.MULTILINE)
    assert listed == [flag for option in _options() for flag in option.opts]


def test_the_page_lists_the_flags_that_are_missing(page: str) -> None:
    """Each flag that is refused as TensorFlow Serving's own is in the page, with none that is not."""
    section = page.partition("## Flags of TensorFlow Serving that are refused")[2].partition("\n## ")[0]
    assert re.findall(r"`(--\w+)`", section) == list(FOREIGN)


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

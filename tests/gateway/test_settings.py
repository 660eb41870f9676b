"""Settings come from arguments and GATEWAY_* variables, and nothing else is accepted."""

import os
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from gateway.settings import Settings
from scripts.settings_table import settings_table
from tests.places import ROOT


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The process's environment without GATEWAY_* variables, restored afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        del os.environ[name]
    yield os.environ  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(before)


def test_models_are_separated_by_commas(environment: dict[str, str]) -> None:
    """GATEWAY_MODELS lists names; blanks around them do not count."""
    environment["GATEWAY_MODELS"] = "flowers, dogs,"
    assert Settings().models == ("flowers", "dogs")


def test_arguments_win_over_the_environment(environment: dict[str, str]) -> None:
    """A keyword argument wins over its variable, and the variable over the default."""
    environment.update(GATEWAY_MODELS="flowers", GATEWAY_PORT="1", GATEWAY_MAX_IMAGES="7")
    settings = Settings(port=2)
    assert (settings.port, settings.max_images, settings.host) == (2, 7, "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GATEWAY_MODELS", " , "),
        ("GATEWAY_PORT", "70000"),
        ("GATEWAY_PORT", "tcp://10.0.0.1:8000"),
        ("GATEWAY_MAX_BODY_BYTES", "0"),
        ("GATEWAY_POLL_INTERVAL_SECONDS", "0"),
        ("GATEWAY_REQUEST_TIMEOUT_SECONDS", "inf"),
        ("GATEWAY_MAX_IMAGE", "3"),
    ],
)
def test_unusable_and_unknown_variables_are_refused(environment: dict[str, str], name: str, text: str) -> None:
    """A variable that cannot be used, or that is misspelled, is refused by name."""
    environment.update({"GATEWAY_MODELS": "flowers", name: text})
    with pytest.raises(ValidationError, match=name.removeprefix("GATEWAY_").lower()):
        Settings()


def test_a_model_is_needed(environment: dict[str, str]) -> None:
    """Without any model the settings are refused."""
    assert "GATEWAY_MODELS" not in environment
    with pytest.raises(ValidationError, match="models"):
        Settings()


def test_settings_never_change() -> None:
    """Settings are frozen."""
    settings = Settings(models=("flowers",))
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_every_setting_is_explained() -> None:
    """Each setting has a sentence."""
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_every_setting_is_documented() -> None:
    """The table in docs/gateway.md is the one that `scripts/settings_table.py` prints."""
    page = (ROOT / "docs" / "gateway.md").read_text()
    assert settings_table() in page


def test_messages_have_to_fit(environment: dict[str, str]) -> None:
    """Bodies that could not be handed on to the model server are refused at start, with the most that can be."""
    with pytest.raises(
        ValidationError, match="max_body_bytes is 600000000, and a message to the model server holds 536608767"
    ):
        Settings(models=("flowers",), max_body_bytes=600_000_000)


def test_a_drift_window_has_to_hold_enough() -> None:
    """A window that is smaller than the number of images that are wanted of it is refused."""
    with pytest.raises(ValidationError, match="drift_least_images is 200, and drift_window holds 100"):
        Settings(models=("flowers",), drift_window=100)

"""What `graft up` says while a model takes long, and about several."""

import logging
import threading
from collections.abc import Sequence

import pytest

from gateway.main import Listening
from graft.actions.up.announcement import Announcement
from graft.actions.up.models import chosen_models
from graft.actions.up.readiness import SeenModel
from tests.graft.places import Place, make_place

READY = SeenModel("flowers", (3,), is_ready=True, has_failed=False)
LOADING = SeenModel("birds", (), is_ready=False, has_failed=False)
LOADED = SeenModel("birds", (1, 2), is_ready=True, has_failed=False)


def test_what_takes_long_is_named_until_it_is_there(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The model that is awaited is named, no other; then the three lines come, with every version."""
    ended = threading.Event()

    def look() -> Sequence[SeenModel]:
        if not caplog.messages:
            return [READY, LOADING]
        ended.set()
        return [READY, LOADED]

    with caplog.at_level(logging.INFO, "graft"):
        Announcement(pytest.fail, patience_seconds=0.0).begin(Listening("http://0.0.0.0:8000"), look).join()
    assert ended.is_set()
    (said,) = caplog.messages
    assert said.startswith("Still loading birds, for ")
    assert capsys.readouterr().out.splitlines() == [
        "Serving at http://0.0.0.0:8000",
        "Models: flowers version 3; birds version 1, 2",
        "Ctrl-C stops it. Try: graft predict IMAGE",
    ]


def test_the_second_port_is_named_with_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the operations port is a free one, there is no other way to know it."""
    listening = Listening("http://127.0.0.1:8001", "http://127.0.0.1:9001")
    Announcement(pytest.fail).begin(listening, lambda: [READY]).join()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "Serving at http://127.0.0.1:8001 (metrics and health at http://127.0.0.1:9001)"
    assert second == "Model: flowers version 3"
    assert third.endswith("--url http://127.0.0.1:8001")


def test_without_names_all_models_are_chosen(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In the order of their names; named ones in the order given, each once."""
    root = tmp_path_factory.mktemp("place")
    make_place(root, recorded=False)
    place = Place(root)
    (root / "models" / "birds").symlink_to(place.base_path, target_is_directory=True)
    (root / "models" / "empty").mkdir()
    assert list(chosen_models(root / "models", ())) == ["birds", "colours"]
    assert list(chosen_models(root / "models", ("colours", "birds", "colours"))) == ["colours", "birds"]

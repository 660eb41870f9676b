"""Which engine runs a version, over gRPC, and that answers do not depend on it."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from contract.versions import LITERT_NETWORK
from modelserver.engines.selection import Engines, is_worth_it
from modelserver.engines.tensorflow.start import TensorFlowStart
from modelserver.errors import LoadError
from modelserver.settings import ModelServerSettings
from tests.modelserver.conftest import Client
from tests.modelserver.litert_versions import CONTENTS, assert_same, image, strings, write_version

NAME = "colours"


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path with a version that either engine can run."""
    base_path = tmp_path_factory.mktemp("engines") / NAME
    write_version(base_path / "1")
    return base_path


@pytest.fixture(scope="module")
def by_engine(
    base_path: Path, start_server: Callable[..., Client], eventually: Callable[..., None]
) -> dict[str, Client]:
    """Clients of servers, by the engine that the server was told to take."""
    clients = {}
    for engine in ("tensorflow", "litert", "auto"):
        client = clients[engine] = start_server(base_path, NAME, engine=engine)
        eventually(lambda client=client: client.is_available(1, NAME))
    return clients


def outputs_of(response: Any) -> dict[str, Any]:
    """Return what a PredictResponse holds, with floats as far as rounding may not matter."""
    return {
        "valid": list(response.outputs["valid"].bool_val),
        "label": list(response.outputs["label"].string_val),
        "probabilities": np.round(response.outputs["probabilities"].float_val, 5).tolist(),
        "brightness": list(response.outputs["brightness"].float_val),
    }


@pytest.mark.parametrize("engine", ["litert", "auto"])
def test_answers_over_grpc_do_not_depend_on_the_engine(by_engine: dict[str, Client], engine: str) -> None:
    """Good and bad images in one request are answered as by TensorFlow."""
    called = {"image_bytes": strings(CONTENTS)}
    expected = outputs_of(by_engine["tensorflow"].predict(called, name=NAME))
    assert outputs_of(by_engine[engine].predict(called, name=NAME)) == expected
    assert expected["valid"] == [True, False, False, True, False, False, True]


def test_errors_over_grpc_do_not_depend_on_the_engine(by_engine: dict[str, Client]) -> None:
    """Unknown signatures, wrong types and shapes that no graph takes have the same status."""
    requests: list[tuple[dict[str, Any], str]] = [
        ({"image_bytes": strings([b""])}, "nonsense"),
        ({"image_bytes": np.zeros(1, np.float32)}, "serving_default"),
        ({"pixels": np.zeros((1, 24, 24, 4), np.uint8)}, "serving_pixels"),
        ({"image_bytes": np.array(b"no image", np.object_)}, "serving_default"),
    ]
    statuses = {
        engine: [client.start_predict(called, signature, NAME).code() for called, signature in requests]
        for engine, client in by_engine.items()
    }
    assert statuses["litert"] == statuses["auto"] == statuses["tensorflow"]
    assert grpc.StatusCode.OK not in statuses["tensorflow"]


@pytest.mark.parametrize(
    "parameters", ["max_batch_size { value: 4 }\nallowed_batch_sizes: 2\nallowed_batch_sizes: 4", ""]
)
def test_batching_holds_for_litert(
    by_engine: dict[str, Client],
    base_path: Path,
    start_server: Callable[..., Client],
    eventually: Callable[..., None],
    tmp_path: Path,
    parameters: str,
) -> None:
    """Requests that share runs, are padded or measured for have the answers that they have alone."""
    file = tmp_path / "batching.txt"
    file.write_text(parameters)
    batching = {"batching_parameters_file": file} if parameters else {"tune_batching": True}
    client = start_server(base_path, NAME, engine="litert", enable_batching=True, **batching)
    eventually(lambda: client.is_available(1, NAME))
    contents = [CONTENTS[number % len(CONTENTS)] for number in range(40)]
    responses = [client.start_predict({"image_bytes": strings([content])}, name=NAME) for content in contents]
    expected = [
        outputs_of(by_engine["tensorflow"].predict({"image_bytes": strings([one])}, name=NAME)) for one in CONTENTS
    ]
    found = [outputs_of(response.result()) for response in responses]
    assert found == [expected[number % len(CONTENTS)] for number in range(40)]


def engines(base_path: Path, engine: str) -> Engines:
    """Return the engines of a server that was told to take one."""
    return Engines(ModelServerSettings(model_base_path=base_path, engine=engine))


def test_auto_measures_and_says_what_it_takes(base_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the engine and both times; the next version of the model is not measured again."""
    with caplog.at_level(logging.INFO):
        chosen = engines(base_path, "auto")
        model = chosen.load(base_path / "1")
        assert chosen.load(base_path / "1").engine == model.engine
    (line,) = [record.getMessage() for record in caplog.records if "is run by" in record.getMessage()]
    assert line.startswith(f"{NAME} is run by {model.engine}: an image takes LiteRT")


def test_auto_compares_nothing_where_no_tensorflow_is_needed(
    proved_version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A version whose images are decoded without TensorFlow is run by LiteRT, and TensorFlow is not loaded for it."""
    with caplog.at_level(logging.INFO):
        model = engines(proved_version.parent, "auto").load(proved_version)
    assert model.engine == "LiteRT"
    (said,) = [record.getMessage() for record in caplog.records if "is run by" in record.getMessage()]
    assert said.endswith("is run by LiteRT, without a comparison: it needs no TensorFlow")
    assert model.run("serving_default", {"image_bytes": strings([image(1)])})["valid"].all()


def test_auto_takes_tensorflow_where_there_is_no_network(tmp_path: Path) -> None:
    """A version without a network for LiteRT is served as ever; asked for LiteRT alone, it is not loaded."""
    folder = write_version(tmp_path / NAME / "1", with_network=False)
    assert engines(folder.parent, "auto").load(folder).engine == "TensorFlow"
    with pytest.raises(LoadError, match=LITERT_NETWORK):
        engines(folder.parent, "litert").load(folder)


def test_auto_takes_tensorflow_where_litert_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A network that LiteRT cannot load does not keep the version from being served; a warning says why."""
    folder = write_version(tmp_path / NAME / "1")
    (folder / LITERT_NETWORK).write_bytes(b"no network")
    assert engines(folder.parent, "auto").load(folder).engine == "TensorFlow"
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(f"{NAME} version 1 is run by TensorFlow: ")
    assert "cannot be run by LiteRT" in warning


@pytest.mark.parametrize(("by_litert", "takes_litert"), [(0.5, True), (1.0, True), (1.19, True), (1.21, False)])
def test_litert_may_be_a_little_slower(by_litert: float, takes_litert: bool) -> None:
    """It saves memory and a start of seconds, so TensorFlow has to be a fifth faster, and no coin decides."""
    assert is_worth_it(by_litert, 1.0) == takes_litert


def test_auto_leaves_to_tensorflow_what_is_much_faster_there(tmp_path: Path) -> None:
    """A network that LiteRT runs a hundred times as long as TensorFlow its own is left to TensorFlow."""
    folder = write_version(tmp_path / NAME / "1")
    slow = write_version(tmp_path / "slow" / "1", repeats=100)
    (folder / LITERT_NETWORK).write_bytes((slow / LITERT_NETWORK).read_bytes())
    called = {"image_bytes": strings([image(1)])}
    by_auto, by_tensorflow = (
        engines(folder.parent, "auto").load(folder),
        engines(folder.parent, "tensorflow").load(folder),
    )
    assert by_auto.engine == "TensorFlow"
    assert_same(by_auto.run("serving_default", called), by_tensorflow.run("serving_default", called))


def test_tensorflow_is_started_once_and_only_when_wanted(tmp_path: Path) -> None:
    """Versions for LiteRT do not start it; the first for TensorFlow does."""
    started: list[str] = []
    settings = ModelServerSettings(model_base_path=tmp_path)
    chosen = Engines(settings.model_copy(update={"engine": "litert"}), lambda: started.append("litert"))
    chosen.load(write_version(tmp_path / NAME / "1"))
    assert started == []
    Engines(settings, lambda: started.append("auto")).load(write_version(tmp_path / "other" / "1", with_network=False))
    assert started == ["auto"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_tensorflow_starts_in_a_thread_of_the_usual_priority(tmp_path: Path) -> None:
    """Even if one of low priority asks for it, whose own threads would inherit that."""
    seen: list[int] = []

    def refuse() -> None:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        raise ImportError("TensorFlow is not there")

    start = TensorFlowStart(ModelServerSettings(model_base_path=tmp_path), refuse)
    errors: list[str] = []

    def call_aside() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            start.ensure()
        except ImportError as error:
            errors.append(str(error))

    thread = threading.Thread(target=call_aside)
    assert seen == []  # nobody has asked yet
    thread.start()
    thread.join()
    assert (seen, errors) == ([os.getpriority(os.PRIO_PROCESS, 0)], ["TensorFlow is not there"])

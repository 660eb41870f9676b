import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from contract import serving_messages as messages
from contract.versions import WARMUP
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.errors import LoadError
from modelserver.versions.configs import ModelConfig, VersionPolicy
from modelserver.versions.served_models import ServedModels
from modelserver.versions.watcher import VersionWatcher
from tests.fakes.tensors import to_tensor


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    return tmp_path / "scale"


@pytest.fixture
def serving_one(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
) -> Any:
    """Return a client of a server with version 1 (factor 2) AVAILABLE."""
    publish(base_path, 1, 2.0)
    client = start_server(base_path)
    eventually(lambda: client.is_available(1))
    return client


def _write_warmup(signature: str, array: npt.NDArray[Any]) -> Callable[[Path], None]:
    request = messages.PredictRequest(
        model_spec={"name": "scale", "signature_name": signature}, inputs={"x": to_tensor(array)}
    )
    return _write_record(messages.PredictionLog(predict_log={"request": request}))


def _write_record(log: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / WARMUP).parent.mkdir()
        with tf.io.TFRecordWriter(str(folder / WARMUP)) as writer:
            writer.write(log.SerializeToString())

    return write


def _remove_graph(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def test_a_swap_under_load_loses_no_request(
    serving_one: Any,
    base_path: Path,
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """While version 2 replaces version 1, every request is answered, rightly by whichever version it names."""
    factors = {1: 2.0, 2: 3.0}
    replied: list[int] = []
    stop = threading.Event()

    def call_until_stopped() -> None:
        while not stop.is_set():
            response = serving_one.predict({"x": x})
            version = response.model_spec.version.value
            assert list(response.outputs["y"].float_val) == (x * factors[version]).tolist()
            replied.append(version)

    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(call_until_stopped) for _ in range(3)]
        try:
            eventually(lambda: len(replied) > 10)
            publish(base_path, 2, 3.0)
            eventually(lambda: replied[-1:] == [2])
        finally:
            stop.set()
    for caller in callers:
        caller.result()  # raises the first request's failure
    assert set(replied) == {1, 2}
    assert serving_one.states() == {2: ("AVAILABLE", ""), 1: ("END", "")}


def test_a_request_in_flight_finishes_on_its_version(
    serving_one: Any, base_path: Path, publish: Callable[..., Path], eventually: Callable[..., None]
) -> None:
    """A request that began on version 1 is answered by it, although version 2 is served meanwhile."""
    counts = np.array(300_000, np.int32)
    slow = serving_one.start_predict({"n": counts}, "slow")
    serving_one.states()  # answered on the same connection: the slow request has arrived before
    publish(base_path, 2, 3.0)
    eventually(lambda: serving_one.is_available(2))
    response = slow.result()
    assert response.model_spec.version.value == 1
    assert list(response.outputs["counted"].int_val) == [300_000]


def test_a_broken_version_leaves_the_old_one_serving(
    serving_one: Any,
    base_path: Path,
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """A newer version that cannot be loaded ends with the reason, until its folder is mended."""
    folder = publish(base_path, 2, 3.0, _remove_graph)
    eventually(lambda: serving_one.states().get(2, ("", ""))[0] == "END")
    assert "SavedModel file does not exist" in serving_one.states()[2][1]
    assert serving_one.states()[1] == ("AVAILABLE", "")
    assert serving_one.predict({"x": x}).model_spec.version.value == 1
    (folder / "saved_model.pb").write_bytes((base_path / "1" / "saved_model.pb").read_bytes())
    eventually(lambda: serving_one.is_available(2))
    assert serving_one.predict({"x": x}).outputs["y"].float_val[0] == 3.0


def test_a_broken_version_is_tried_again_only_when_its_folder_changes(
    base_path: Path, eventually: Callable[..., None]
) -> None:
    """However often the watcher looks, an unchanged broken folder is loaded once, and a changed one again."""
    tried: list[str] = []

    def refuse(folder: Path) -> TensorFlowModel:
        tried.append(folder.name)
        raise LoadError("broken on purpose")

    async def change_folders() -> None:
        watcher = VersionWatcher(ModelConfig("scale", base_path), 0.001, refuse, asyncio.Semaphore(1))
        watching = asyncio.create_task(watcher.watch())
        (base_path / "1").mkdir(parents=True)
        await asyncio.to_thread(eventually, lambda: tried == ["1"])
        (base_path / "2").mkdir()
        await asyncio.to_thread(eventually, lambda: tried[1:2] == ["2"])
        os.utime(base_path / "2", (1, 1))  # a file within the same tick of the clock would not show
        await asyncio.to_thread(eventually, lambda: len(tried) == 3)
        watching.cancel()

    asyncio.run(change_folders())
    assert tried == ["1", "2", "2"]


def test_versions_that_wait_for_their_turn_are_listed(base_path: Path, eventually: Callable[..., None]) -> None:
    """While the newest of several wanted versions is loaded, the others are known as those to come."""
    release = threading.Event()

    def refuse_later(_: Path) -> TensorFlowModel:
        release.wait(30)
        raise LoadError("broken on purpose")

    async def look_meanwhile() -> None:
        config = ModelConfig("scale", base_path, VersionPolicy(newest=2))
        watcher = VersionWatcher(config, 0.001, refuse_later, asyncio.Semaphore(1))
        for version in ("1", "2", "3"):
            (base_path / version).mkdir(parents=True)
        watching = asyncio.create_task(watcher.watch())
        seen = {3: "LOADING", 2: "START"}
        await asyncio.to_thread(eventually, lambda: {s.number: s.state for s in watcher.statuses(None)} == seen)
        release.set()
        seen = {3: "END", 2: "END", 1: "END"}  # the last was tried because nothing else could be served
        await asyncio.to_thread(eventually, lambda: {s.number: s.state for s in watcher.statuses(None)} == seen)
        watching.cancel()

    asyncio.run(look_meanwhile())


def test_models_are_loaded_one_at_a_time(base_path: Path, eventually: Callable[..., None]) -> None:
    """Three models that could load together never do."""
    together = threading.Barrier(2)
    tried: list[bool] = []

    def refuse(_: Path) -> TensorFlowModel:
        try:
            together.wait(0.2)  # passes only while two are loaded
            tried.append(True)
        except threading.BrokenBarrierError:
            together.reset()
            tried.append(False)
        raise LoadError("broken on purpose")

    async def load_all() -> None:
        configs = [ModelConfig(name, base_path) for name in ("a", "b", "c")]
        watching = asyncio.create_task(ServedModels(configs, 60, refuse).watch())
        await asyncio.to_thread(eventually, lambda: len(tried) == 3)
        watching.cancel()

    (base_path / "1").mkdir(parents=True)
    asyncio.run(load_all())
    assert tried == [False, False, False]


def test_a_server_that_starts_beside_a_broken_version_serves_the_one_before(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
) -> None:
    """Where nothing is served yet and the newest version is broken, the next older one is served."""
    publish(base_path, 1, 2.0)
    publish(base_path, 2, 3.0, _remove_graph)
    client = start_server(base_path)
    eventually(lambda: client.is_available(1))
    assert client.states()[2][0] == "END"


@pytest.mark.parametrize(
    ("signature", "array", "reason"),
    [
        ("", np.zeros(1), "Warm-up record 1 does not fit: Expects arg[0] to be float but double is provided"),
        (
            "nosig",
            np.zeros(1, np.float32),
            'Warm-up record 1 does not fit: Serving signature key "nosig" not found.',
        ),
    ],
    ids=["dtype", "signature"],
)
def test_a_version_whose_warmup_does_not_fit_is_not_served(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    signature: str,
    array: npt.NDArray[Any],
    reason: str,
) -> None:
    """A warm-up record that the model refuses keeps the version from becoming AVAILABLE, and is the reason."""
    publish(base_path, 1, 2.0, _write_warmup(signature, array))
    client = start_server(base_path)
    eventually(lambda: client.states() == {1: ("END", reason)})


def test_a_classification_among_the_warmup_records_must_fit_too(
    base_path: Path, publish: Callable[..., Path], start_server: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """A record for Classify, which this model has no signature for, keeps the version from being served."""
    request = {"model_spec": {"name": "scale"}}
    publish(base_path, 1, 2.0, _write_record(messages.PredictionLog(classify_log={"request": request})))
    client = start_server(base_path)
    eventually(lambda: client.states().get(1, ("",))[0] == "END")
    assert client.states()[1][1].startswith("Warm-up record 1 does not fit: No classification inputs found")


def test_a_version_whose_warmup_fits_is_served(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """A version with warm-up records that the model answers becomes AVAILABLE."""
    publish(base_path, 1, 2.0, _write_warmup("", x))
    client = start_server(base_path)
    eventually(lambda: client.is_available(1))


def test_a_damaged_warmup_file_keeps_a_version_from_being_served(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
) -> None:
    """A warm-up file that is no TFRecord file is the reason why the version ended."""

    def damage(folder: Path) -> None:
        (folder / WARMUP).parent.mkdir()
        (folder / WARMUP).write_bytes(b"no TFRecord, but long enough to have a header")

    publish(base_path, 1, 2.0, damage)
    client = start_server(base_path)
    eventually(lambda: "cannot be read" in client.states().get(1, ("", ""))[1])


def test_a_server_waits_for_the_first_version(
    base_path: Path,
    publish: Callable[..., Path],
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """Without a base path the port is open, nothing is found, and the first version is picked up."""
    client = start_server(base_path)
    assert client.states() == {}
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Latest\(scale\)"):
        client.predict({"x": x})
    publish(base_path, 1, 2.0)
    eventually(lambda: client.is_available(1))


def test_a_base_path_that_goes_away_changes_nothing(
    serving_one: Any,
    base_path: Path,
    tmp_path: Path,
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    x: npt.NDArray[np.float32],
) -> None:
    """What is loaded is served on when its base path goes, as in TensorFlow Serving, and what comes later is seen."""
    base_path.rename(tmp_path / "away")
    eventually(lambda: "no version of scale to serve" in caplog.text)
    assert serving_one.predict({"x": x}).model_spec.version.value == 1
    publish(base_path, 5, 3.0)
    eventually(lambda: serving_one.is_available(5))
    assert serving_one.states()[1] == ("END", "")


def test_versions_that_are_removed_end(
    serving_one: Any, base_path: Path, tmp_path: Path, eventually: Callable[..., None], x: npt.NDArray[np.float32]
) -> None:
    """When the last version is taken out of its base path nothing is served any more, as in TensorFlow Serving."""
    (base_path / "1").rename(tmp_path / "away")
    eventually(lambda: serving_one.states() == {1: ("END", "")})
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Latest\(scale\)"):
        serving_one.predict({"x": x})

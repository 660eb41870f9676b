"""Real model servers on loopback, all in one event loop beside the tests, and tiny SavedModels for them."""

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from contract import serving_messages as messages
from modelserver.server import running_server
from modelserver.settings import ModelServerSettings
from tests.fakes.tensors import to_tensor
from tests.places import CONFORMANCE


class Client:
    """A gRPC client of one server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.metrics_port: int | None = None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)])

    def call(self, method: str, request: bytes) -> bytes:
        """Send the bytes of a request and return those of the answer."""
        send = self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        response: bytes = send(request, timeout=60)
        return response

    def predict(
        self, inputs: dict[str, npt.NDArray[Any]], signature: str = "", name: str = "scale", **more: Any
    ) -> Any:
        """Return the answer to a Predict call."""
        return self.start_predict(inputs, signature, name, **more).result()

    def start_predict(
        self,
        inputs: dict[str, npt.NDArray[Any]],
        signature: str = "",
        name: str = "scale",
        seconds: float = 60,
        **more: Any,
    ) -> Any:
        """Start a Predict call with typed fields; its answer is a future."""
        tensors = {key: to_tensor(array) for key, array in inputs.items()}
        request = messages.PredictRequest(inputs=tensors, **more)
        request.model_spec.MergeFrom(messages.ModelSpec(name=name, signature_name=signature))
        return self.send(request, seconds)

    def send(self, request: Any, seconds: float = 60) -> Any:
        """Start a Predict call; its answer is a future."""
        predict = self.channel.unary_unary(
            f"/{messages.PREDICTION_SERVICE}/Predict",
            request_serializer=messages.PredictRequest.SerializeToString,
            response_deserializer=messages.PredictResponse.FromString,
        )
        return predict.future(request, timeout=seconds, wait_for_ready=True)

    def states(self, name: str = "scale") -> dict[int, tuple[str, str]]:
        """Return the state and the error of every version."""
        request = messages.GetModelStatusRequest(model_spec={"name": name})
        response = self.call(f"/{messages.MODEL_SERVICE}/GetModelStatus", request.SerializeToString())
        statuses = messages.GetModelStatusResponse.FromString(response).model_version_status
        return {
            status.version: (messages.VersionState.Name(status.state), status.status.error_message)
            for status in statuses
        }

    def is_available(self, version: int, name: str = "scale") -> bool:
        """Return whether the version is served."""
        return self.states(name).get(version) == ("AVAILABLE", "")


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[int], Client]]:
    """Return a function that makes a client of the server on a port."""
    with contextlib.ExitStack() as stack:

        def _connect(port: int) -> Client:
            client = Client(port)
            stack.callback(client.channel.close)
            return client

        yield _connect


@pytest.fixture(scope="session")
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return a running event loop in a thread; gRPC wants one loop for all of its servers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def start_server(
    event_loop: asyncio.AbstractEventLoop, connect: Callable[[int], Client]
) -> Iterator[Callable[..., Client]]:
    """Return a function that serves a base path, or what other settings say, until the module's tests end.

    It gives a client of the server.
    """
    servers = contextlib.AsyncExitStack()

    def start(base_path: Path | None = None, name: str = "scale", **more: Any) -> Client:
        short = {"port": 0, "file_system_poll_wait_seconds": 0.1, "max_num_load_retries": 0}
        settings = ModelServerSettings(model_name=name, model_base_path=base_path, **{**short, **more})
        opening = servers.enter_async_context(running_server(settings))
        server = asyncio.run_coroutine_threadsafe(opening, event_loop).result(60)
        client = connect(server.port)
        client.metrics_port = server.metrics_port
        return client

    yield start
    asyncio.run_coroutine_threadsafe(servers.aclose(), event_loop).result(60)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Return a function that waits until a condition holds, and fails when it does not in time."""

    def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            time.sleep(0.02)

    return wait


class Scale(tf.Module):  # type: ignore[misc]
    """x -> x * factor; `total` has a scalar output; `slow` counts to a number first."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = tf.Variable(factor)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def scale(self, x: Any) -> Any:
        """Map x [N] -> y [N], negative [N]."""
        return {"y": x * self.factor, "negative": x < 0.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])  # type: ignore[untyped-decorator]
    def total(self, text: Any) -> Any:
        """Map text [N] -> all []."""
        return {"all": tf.strings.reduce_join(text)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="n")])  # type: ignore[untyped-decorator]
    def slow(self, n: Any) -> Any:
        """Map n [] -> counted [], after n steps."""
        counted = tf.while_loop(lambda i: i < n, lambda i: [i + 1], [0])
        return {"counted": counted[0]}


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    """Return the folders of two saved `Scale` models by factor."""
    folders = {}
    for factor in (2.0, 3.0):
        folders[factor] = tmp_path_factory.mktemp("saved") / "model"
        module = Scale(factor)
        signatures = {"serving_default": module.scale, "total": module.total, "slow": module.slow}
        tf.saved_model.save(module, str(folders[factor]), signatures=signatures)
    return folders


@pytest.fixture(scope="session")
def publish(saved_models: dict[float, Path]) -> Callable[..., Path]:
    """Return a function that makes a version appear in one rename, optionally changed before."""

    def _publish(
        base_path: Path, version: int, factor: float, change: Callable[[Path], object] = lambda _: None
    ) -> Path:
        staged = base_path.parent / f".staged-{base_path.name}-{version}"
        shutil.copytree(saved_models[factor], staged)
        change(staged)
        base_path.mkdir(exist_ok=True)
        return staged.rename(base_path / str(version))

    return _publish


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder with the recordings of TensorFlow Serving, or skip."""
    if not CONFORMANCE.is_dir():
        pytest.skip(f"no recordings of TensorFlow Serving at {CONFORMANCE}; GRAFT_CONFORMANCE names another place")
    return CONFORMANCE


@pytest.fixture(scope="session")
def x() -> npt.NDArray[np.float32]:
    """Return an input of the `Scale` models."""
    return np.array([1.0, -2.0, 3.0], np.float32)

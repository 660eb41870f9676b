"""The model server: everything is connected here."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc

from modelserver.errors import BadSettingError
from modelserver.loaded_model import LoadedModel
from modelserver.model_configs import model_configs
from modelserver.model_service import ModelService
from modelserver.prediction_service import PredictionService
from modelserver.served_models import ServedModels
from modelserver.settings import ModelServerSettings
from modelserver.warmup import replay_warmup

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 10.0

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # 4 MB by default: a batch of pictures is larger
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # or a second server on the same port would start and take half of the requests
)


@dataclass(frozen=True)
class RunningServer:
    """A server that listens. `watching` ends only by an error that nobody foresaw."""

    port: int
    watching: asyncio.Task[None]


@contextlib.asynccontextmanager
async def running_server(settings: ModelServerSettings) -> AsyncIterator[RunningServer]:
    """Listen while the context is open, also before a version is loaded; then drain.

    At the end no new request is accepted, and those in flight get ten seconds to finish. What TensorFlow is doing
    then, a load or a graph call, cannot be interrupted; only the process's end waits for it.

    Raises:
        BadSettingError: the address cannot be listened on, or the models' configuration cannot be used.
    """
    models = ServedModels(model_configs(settings), settings.file_system_poll_wait_seconds, load_version)
    executor = ThreadPoolExecutor(settings.grpc_max_threads, thread_name_prefix="graph")
    server = grpc.aio.server(options=_OPTIONS)
    services = (PredictionService(models, executor), ModelService(models))
    server.add_generic_rpc_handlers([service.handler() for service in services])
    port = _bind(server, settings)
    await server.start()
    watching = asyncio.create_task(models.watch())
    try:
        yield RunningServer(port, watching)
    finally:
        await server.stop(_DRAIN_SECONDS)
        watching.cancel()
        await asyncio.wait({watching})
        executor.shutdown(wait=False, cancel_futures=True)  # what still runs is no longer waited for by anyone


def load_version(folder: Path) -> LoadedModel:
    """Load and warm up the version in `folder`.

    Raises:
        LoadError: it cannot be loaded, or a warm-up record does not fit it.
    """
    model = LoadedModel.load(folder)
    replay_warmup(model, folder)
    return model


async def serve(settings: ModelServerSettings, on_listening: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `on_listening` gets the port. A second signal ends at once.

    Raises:
        BadSettingError: the address cannot be listened on, or the models' configuration cannot be used.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopping.set)
    async with running_server(settings) as server:
        on_listening(server.port)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({waiting, server.watching}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for number in signals:
            loop.remove_signal_handler(number)
        if server.watching.done():
            await server.watching  # raises what ended it: a server that sees no new versions must not live on
        logger.info("stopping: finishing the requests in flight")


def main(settings: ModelServerSettings) -> int:
    """Run the server; return 0 after a signal, 2 where it cannot listen or has no usable configuration.

    Prints one line to stdout once the port listens; everything else goes to stderr.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(settings, lambda port: _announce(settings.host, port)))
    except BadSettingError as error:
        logger.error("%s", error)
        return 2
    return 0


def _bind(server: grpc.aio.Server, settings: ModelServerSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise BadSettingError(
            f"{address} cannot be listened on; is another server there? Choose a port, or 0."
        ) from error


def _announce(host: str, port: int) -> None:
    sys.stdout.write(f"Model server listening on {host}:{port}\n")
    sys.stdout.flush()

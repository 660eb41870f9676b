"""The model server: everything is connected here."""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from contract.process.freed_memory import give_back_freed_memory, reuse_freed_memory
from contract.process.interpreter_turns import leave_to_the_end, take_short_turns
from contract.process.standard_streams import queued_standard_streams
from modelserver.batching.batcher import Batcher
from modelserver.batching.parameters import batch_parameters
from modelserver.batching.version_tuning import FirstVersionTuning, Load, tuned
from modelserver.engines.selection import Engines
from modelserver.engines.tensorflow.start import TensorFlowStart
from modelserver.errors import SettingError
from modelserver.grpc.connections import connection_options, raise_descriptor_limit
from modelserver.grpc.health import Health
from modelserver.grpc.metrics_port import metrics_path, metrics_port
from modelserver.grpc.model_service import ModelService
from modelserver.grpc.prediction_service import PredictionService
from modelserver.grpc.reflection import offer_reflection, refuse_reflection
from modelserver.grpc.tls import server_credentials, verifies_clients
from modelserver.grpc.unary_calls import UnaryCalls
from modelserver.logs import missing_lines, set_up_logs
from modelserver.metrics import ModelServerMetrics
from modelserver.requests.large_images import LargeImages
from modelserver.settings import ModelServerSettings
from modelserver.tracing.switch import open_tracing
from modelserver.versions.base_paths import BasePathRoots
from modelserver.versions.configs import ModelConfig, configs_of_file, model_configs
from modelserver.versions.loading import load_version
from modelserver.versions.reloading import Reloading, poll_file
from modelserver.versions.retries import LoadRetries
from modelserver.versions.served_models import ServedModels

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 10.0
_FAREWELL_SECONDS = 1.0
"""How long clients have to receive that their requests will not be finished."""
_REQUESTS_IN_FLIGHT = 8
"""Of the largest size; smaller ones may be more."""
_GIVE_BACK_SECONDS = 5.0
"""Between two returns of memory: so that it neither rises by more than a few percent between, nor takes long."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_TUNING_SECONDS = 2.0
"""How much later the first version is served so that batches suit it."""

_SWITCH_SECONDS = 0.0005
"""How long a thread may hold Python's lock; with Python's 5 ms, loading a version doubles the slowest latencies."""

_OPTIONS = (
    ("grpc.max_send_message_length", -1),  # responses are as large as the model makes them
    ("grpc.max_concurrent_streams", 256),  # of one connection; a client holds back what is more
    ("grpc.so_reuseport", 0),  # or a second server on the same port would start and take half of the requests
)


@dataclass(frozen=True)
class RunningModelServer:
    """A server that listens. `watching` ends only by an unexpected error."""

    port: int
    metrics_port: int | None
    watching: asyncio.Task[None]
    hurry: asyncio.Event
    """Set to end without waiting for the requests in flight."""


@contextlib.asynccontextmanager
async def running_server(
    settings: ModelServerSettings, start_tensorflow: Callable[[], None] = lambda: None
) -> AsyncIterator[RunningModelServer]:
    """Listen while the context is open, also before a version is loaded; then drain.

    `start_tensorflow` is called before TensorFlow is imported for a version that needs it.

    At the end no new request is accepted, and those in flight get ten seconds to finish; what is not finished then is
    answered with UNAVAILABLE. A load cannot be interrupted; only the process's end waits for it.

    Raises:
        SettingError: an address cannot be listened on, or a configuration file or tracing cannot be used.
    """
    configs = model_configs(settings)
    metrics = ModelServerMetrics(lambda name: name in models.names)
    executor = ThreadPoolExecutor(settings.grpc_max_threads, thread_name_prefix="graph")
    batcher = Batcher(batch_parameters(settings), executor) if settings.enable_batching else None
    large_images = LargeImages()
    engines = Engines(settings, start_tensorflow, metrics)
    models = _served_models(settings, configs, engines, metrics, batcher)
    reloading = Reloading(models, allow_unavailable_labels=settings.allow_version_labels_for_unavailable_models)
    server = grpc.aio.server(options=_options(settings))
    tracing, hurry = open_tracing(settings), asyncio.Event()
    calls = UnaryCalls(_REQUESTS_IN_FLIGHT * settings.max_message_bytes, tracing)
    services = (
        PredictionService(
            *(models, executor, metrics, batcher), large_images=large_images, most_rows=settings.max_rows_per_request
        ),
        ModelService(models, reloading, _roots_of_requests(settings, configs)),
    )
    server.add_generic_rpc_handlers([service.handler(calls) for service in services])
    health = Health(server)
    _offer_reflection(server, settings)
    port = _bind(server, settings)
    with _metrics_port(settings, metrics) as http_port:
        await server.start()
        watching = asyncio.create_task(_watch(settings, configs, models, reloading, health))
        try:
            yield RunningModelServer(port, http_port, watching, hurry)
        finally:
            await health.drain()
            await _drain(server, calls, hurry)
            await reloading.close()
            watching.cancel()
            await asyncio.wait({watching})
            if batcher:
                batcher.close()
            large_images.close()
            executor.shutdown(wait=False, cancel_futures=True)  # results of what still runs are no longer needed
            if tracing and not hurry.is_set():
                await asyncio.to_thread(tracing.close)


def _options(settings: ModelServerSettings) -> list[tuple[str, int | str]]:
    limits = {"grpc.max_receive_message_length": settings.max_message_bytes}
    limits |= connection_options(settings.max_connections)
    return [*{**dict(_OPTIONS), **limits, **settings.grpc_channel_arguments}.items()]


def _roots_of_requests(settings: ModelServerSettings, configs: Sequence[ModelConfig]) -> BasePathRoots | None:
    """Return where reload requests may have models served from; None where they may not come at all."""
    if not settings.allow_reload_requests and not verifies_clients(settings.ssl_config_file):
        return None
    return BasePathRoots(settings.base_path_roots or [config.base_path for config in configs])


def _offer_reflection(server: grpc.aio.Server, settings: ModelServerSettings) -> None:
    if settings.allow_reflection or verifies_clients(settings.ssl_config_file):
        offer_reflection(server)
    else:
        refuse_reflection(server)


async def _drain(server: grpc.aio.Server, calls: UnaryCalls, hurry: asyncio.Event) -> None:
    """Accept nothing more, and wait until what is in flight is finished, or ten seconds have passed, or `hurry`."""
    stopping = asyncio.create_task(server.stop(_DRAIN_SECONDS + _FAREWELL_SECONDS))
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({stopping, hurried}, timeout=_DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    calls.end()
    await asyncio.wait({stopping}, timeout=_FAREWELL_SECONDS)
    await server.stop(None)
    await stopping


def _served_models(
    settings: ModelServerSettings,
    configs: Sequence[ModelConfig],
    engines: Engines,
    metrics: ModelServerMetrics,
    batcher: Batcher | None,
) -> ServedModels:
    retries = LoadRetries(settings.max_num_load_retries, max(settings.load_retry_interval_micros, 0) / 1e6)
    load: Load = functools.partial(load_version, engines=engines, metrics=metrics, warm_up=settings.enable_model_warmup)
    if batcher and settings.tune_batching:
        load = tuned(load, FirstVersionTuning(batcher.use, logger.info, _TUNING_SECONDS))
    return ServedModels(configs, settings.file_system_poll_wait_seconds, load, retries)


async def _watch(
    settings: ModelServerSettings,
    configs: Sequence[ModelConfig],
    models: ServedModels,
    reloading: Reloading,
    health: Health,
) -> None:
    """Follow whatever may change while the server runs, until cancelled."""
    file, wait = settings.model_config_file, settings.model_config_file_poll_wait_seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(models.watch())
        group.create_task(_give_back_memory())
        group.create_task(health.follow(models))
        if file is not None and wait:
            read = functools.partial(configs_of_file, roots=settings.base_path_roots)
            group.create_task(poll_file(file, read, reloading, configs, wait))


async def _give_back_memory() -> None:
    """Keep the process as small as what it needs: what a rare large request took would else stay for good."""
    while True:
        await asyncio.sleep(_GIVE_BACK_SECONDS)
        await asyncio.to_thread(give_back_freed_memory)


@contextlib.contextmanager
def _metrics_port(settings: ModelServerSettings, metrics: ModelServerMetrics) -> Iterator[int | None]:
    if settings.rest_api_port is None:
        yield None
        return
    path = metrics_path(settings.monitoring_config_file)
    with metrics_port(settings.host, settings.rest_api_port, path, metrics.page) as port:
        logger.info("metrics over HTTP on %s:%d: %s", settings.host, port, path or "not shown")
        yield port


async def serve(
    settings: ModelServerSettings, on_listening: Callable[[int], None], start_tensorflow: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `on_listening` gets the port.

    After a second signal what is in flight is answered with UNAVAILABLE, and the process ends with exit code 0, also
    where a version is being loaded, which cannot be interrupted.

    Raises:
        SettingError: the address cannot be listened on, or the models' configuration cannot be used.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with running_server(settings, start_tensorflow) as server:
        on_listening(server.port)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({waiting, server.watching}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for number in _SIGNALS:
            loop.add_signal_handler(number, server.hurry.set)
        if server.watching.done():
            await server.watching  # raises what ended it: a server that sees no new versions must not live on
        logger.info("stopping: finishing the requests in flight; a second signal ends at once")
    if server.hurry.is_set():
        logger.warning("stopped at once: requests in flight were answered with UNAVAILABLE")
        logging.shutdown()
        os._exit(0)


def main(settings: ModelServerSettings, start_tensorflow: Callable[[], None] = lambda: None) -> int:
    """Run the server; return 0 after a signal, 2 where it cannot listen or has no usable configuration.

    `start_tensorflow` imports TensorFlow; it is called when the first version needs it, before the port listens where
    all versions do. Prints one line to stdout once the port listens; everything else goes to stderr.
    """
    with queued_standard_streams(functools.partial(missing_lines, settings)):
        set_up_logs(settings)
        return _run(settings, start_tensorflow)


def _run(settings: ModelServerSettings, start_tensorflow: Callable[[], None]) -> int:
    sys.setswitchinterval(_SWITCH_SECONDS)
    reuse_freed_memory()
    take_short_turns()
    raise_descriptor_limit()
    tensorflow = TensorFlowStart(settings, start_tensorflow)
    if settings.engine == "tensorflow":
        tensorflow.ensure()
    leave_to_the_end()
    try:
        asyncio.run(serve(settings, lambda port: _announce(settings.host, port), tensorflow.ensure))
    except SettingError as error:
        logger.error("%s", error)
        return 2
    return 0


def _bind(server: grpc.aio.Server, settings: ModelServerSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    credentials = server_credentials(settings.ssl_config_file) if settings.ssl_config_file else None
    try:
        return server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as error:
        raise SettingError(f"{address} cannot be listened on; is another server there? Choose a port, or 0.") from error


def _announce(host: str, port: int) -> None:
    sys.stdout.write(f"Model server listening on {host}:{port}\n")
    sys.stdout.flush()

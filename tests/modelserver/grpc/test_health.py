"""The gRPC health service and reflection, as their own clients see them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from contract.serving_messages import MODEL_SERVICE, PREDICTION_SERVICE
from modelserver.grpc.health import Health
from modelserver.grpc.reflection import offer_reflection
from modelserver.versions.configs import ModelConfig
from tests.modelserver.watched_models import Loads, make_versions, watched

Status = health_pb2.HealthCheckResponse


@contextlib.asynccontextmanager
async def _served() -> AsyncIterator[tuple[Health, grpc.aio.Channel]]:
    server = grpc.aio.server()
    health = Health(server)
    offer_reflection(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield health, channel
    await server.stop(None)


def test_health_follows_the_models(tmp_path: Path) -> None:
    """NOT_SERVING until every model is served, then SERVING whatever comes, and NOT_SERVING while it drains."""
    ready = ModelConfig("ready", make_versions(tmp_path / "ready", 1))
    late = ModelConfig("late", make_versions(tmp_path / "late"))

    async def play() -> None:
        async with watched([ready, late], Loads()) as models, _served() as (health, channel):
            stub = health_pb2_grpc.HealthStub(channel)
            following = asyncio.create_task(health.follow(models))
            seen = stub.Watch(health_pb2.HealthCheckRequest(service=PREDICTION_SERVICE))
            while (await seen.read()).status != Status.NOT_SERVING:
                pass
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status == Status.NOT_SERVING
            response = await stub.Check(health_pb2.HealthCheckRequest(service=MODEL_SERVICE))
            assert response.status == Status.SERVING
            make_versions(late.base_path, 1)
            assert (await seen.read()).status == Status.SERVING
            await following
            (late.base_path / "1").rename(tmp_path / "removed")
            await models.changes.until(lambda: models.unserved() == ["late"])
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status == Status.SERVING
            await health.drain()
            assert (await seen.read()).status == Status.NOT_SERVING
            assert await seen.code() == grpc.StatusCode.OK  # who watches must not keep the server from ending

    asyncio.run(asyncio.wait_for(play(), 30))


def test_a_service_that_is_not_there_is_not_found() -> None:
    """The health of another service is unknown."""

    async def play() -> None:
        async with _served() as (_, channel):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nosuch"))
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND

    asyncio.run(play())


def _pool(serialized: Iterable[bytes]) -> descriptor_pool.DescriptorPool:
    """Return a pool with these files, each added after those it depends on."""
    files = {file.name: file for file in map(descriptor_pb2.FileDescriptorProto.FromString, serialized)}
    pool = descriptor_pool.DescriptorPool()
    for name in TopologicalSorter({name: file.dependency for name, file in files.items()}).static_order():
        pool.Add(files[name])
    return pool


def test_reflection_describes_all_services() -> None:
    """A client that knows no message can list the services, and learn each method and its messages."""

    async def send(channel: grpc.aio.Channel, **request: str) -> reflection_pb2.ServerReflectionResponse:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))
        return await call.read()

    async def play() -> dict[str, list[str]]:
        methods = {}
        async with _served() as (_, channel):
            listed = (await send(channel, list_services="")).list_services_response.service
            for service in listed:
                response = await send(channel, file_containing_symbol=service.name)
                pool = _pool(response.file_descriptor_response.file_descriptor_proto)
                methods[service.name] = [method.name for method in pool.FindServiceByName(service.name).methods]
        return methods

    described = asyncio.run(play())
    assert described[PREDICTION_SERVICE] == ["Classify", "Regress", "Predict", "MultiInference", "GetModelMetadata"]
    assert described[MODEL_SERVICE] == ["GetModelStatus", "HandleReloadConfigRequest"]
    assert "Check" in described["grpc.health.v1.Health"]
    assert described["grpc.reflection.v1alpha.ServerReflection"] == ["ServerReflectionInfo"]

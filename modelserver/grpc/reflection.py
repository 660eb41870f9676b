"""gRPC server reflection: clients such as grpcurl learn the messages from the server itself."""

from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from contract.serving_messages import FILES, MODEL_SERVICE, PREDICTION_SERVICE
from modelserver.grpc.health import HEALTH_SERVICE

_SERVICES = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
"""The one that clients use, and the newer one that some try first."""


def refuse_reflection(server: grpc.aio.Server) -> None:
    """Let `server` say that it does not describe its services; gRPC would only say that there is no such method."""
    methods = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(_refuse)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, methods) for name in _SERVICES])


async def _refuse(_: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    await context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        "Reflection is off in this server; start it with --allow_reflection, or with client_verify in its "
        "--ssl_config_file.",
    )


def offer_reflection(server: grpc.aio.Server) -> None:
    """Let `server` describe all services that it offers."""
    pool = descriptor_pool.DescriptorPool()  # reflection needs one pool with TensorFlow Serving's and gRPC's messages
    for file in FILES.file:
        pool.Add(file)
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    services = (PREDICTION_SERVICE, MODEL_SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(services, server, pool)

"""gRPC server reflection: clients such as grpcurl learn the messages from the server itself."""

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from contract.serving_messages import FILES, MODEL_SERVICE, PREDICTION_SERVICE
from modelserver.grpc.health import HEALTH_SERVICE


def offer_reflection(server: grpc.aio.Server) -> None:
    """Let `server` describe all services that it offers."""
    pool = descriptor_pool.DescriptorPool()  # reflection needs one pool with TensorFlow Serving's and gRPC's messages
    for file in FILES.file:
        pool.Add(file)
    for module in (health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    services = (PREDICTION_SERVICE, MODEL_SERVICE, HEALTH_SERVICE, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(services, server, pool)

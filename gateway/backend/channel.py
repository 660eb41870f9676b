"""The one gRPC channel to the model server: load balancing, retries and keepalive."""

import json
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from gateway.settings import Settings

_MAX_ATTEMPTS = 3
_SERVICE_CONFIG: dict[str, Any] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": messages.PREDICTION_SERVICE}, {"service": messages.MODEL_SERVICE}],
            "retryPolicy": {
                "maxAttempts": _MAX_ATTEMPTS,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # one budget for all calls of the process: each failure takes 1, each success gives 0.1 back, and below half of it
    # nothing is retried, so that retries never become the load that keeps a server down
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
}


def open_channel(settings: Settings, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """Return a channel to the model server; it connects at its first call. The caller closes it.

    Must be called in the event loop that will use it: a channel does not survive a fork.
    """
    options = [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_send_message_length", settings.max_request_message_bytes),
        ("grpc.max_receive_message_length", settings.max_response_message_bytes),
        ("grpc.enable_http_proxy", 0),  # otherwise `http_proxy` would apply to calls to the loopback address
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),  # the default waits up to two minutes for a restarted server
        ("grpc.dns_min_time_between_resolutions_ms", 1000),  # replicas come and go; the default is 30 seconds
        ("grpc.keepalive_time_ms", 30_000),  # detects a peer that vanished without closing the connection
        ("grpc.keepalive_timeout_ms", 10_000),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(settings.model_server, options=options)
    return grpc.aio.secure_channel(settings.model_server, credentials, options=options)

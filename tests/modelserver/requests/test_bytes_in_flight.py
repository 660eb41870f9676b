"""The requests that are in flight take a bounded number of bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np


def test_more_bytes_than_may_be_in_flight_are_refused_and_small_requests_are_served(
    start_server: Callable[..., Any], publish: Callable[..., Path], eventually: Callable[..., None], tmp_path: Path
) -> None:
    """Of twelve large requests behind a busy thread some get UNAVAILABLE in words; the others are served in the end."""
    publish(tmp_path / "scale", 1, 2.0)
    client = start_server(tmp_path / "scale", grpc_max_threads=1, max_message_bytes=1_000_000)
    eventually(lambda: client.is_available(1))
    slow = client.start_predict({"n": np.array(2_000_000_000, np.int32)}, "slow")
    client.states()  # answered on the same connection: the slow request has arrived before
    text = {"text": np.array([b"x" * 900_000], np.object_)}
    large = [client.start_predict(text, "total") for _ in range(12)]
    eventually(lambda: sum(each.done() for each in large) >= 4)
    assert [each.code() for each in large if each.done()] == [grpc.StatusCode.UNAVAILABLE] * 4
    assert "send this one again later" in next(each for each in large if each.done()).details()
    assert client.states() == {1: ("AVAILABLE", "")}
    slow.cancel()
    served = [each for each in large if not (each.done() and each.code() is grpc.StatusCode.UNAVAILABLE)]
    assert [len(each.result().outputs["all"].string_val[0]) for each in served] == [900_000] * 8

"""What a body costs of the budget of held bytes: JSON more than images, and compressed JSON more than it seems."""

from collections.abc import Mapping

from gateway.observability.observation import ProtocolName

UNPACKED_TIMES, ALWAYS_UNPACKED_BYTES = 16, 1024 * 1024
"""A compressed body may unpack to sixteen times its size, or to a megabyte."""

_JSON_TIMES = 4  # Python's objects take several times the memory of their text


class BodyCost:
    """The cost of one request's body; `headers` are those of the request by name, in lower case."""

    __slots__ = ("_is_compressed", "_max_json")

    def __init__(self, protocol: ProtocolName, headers: Mapping[bytes, bytes], max_json_bytes: int) -> None:
        is_json = protocol != "native" or b"json" in headers.get(b"content-type", b"").lower()
        self._is_compressed = protocol == "tensorflow" and b"content-encoding" in headers
        self._max_json = max_json_bytes if is_json else 0
        length = headers.get(b"inference-header-content-length", b"")
        if protocol == "open_inference" and length.isdigit():  # what follows the JSON is binary
            self._max_json = min(max_json_bytes, int(length[:18]))

    def of(self, size: int) -> int:
        """Return the cost of a body of `size` bytes as sent."""
        unpacked = max(size * UNPACKED_TIMES, ALWAYS_UNPACKED_BYTES) if self._is_compressed else size
        return size + (_JSON_TIMES - 1) * min(unpacked, self._max_json)

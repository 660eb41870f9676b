"""JSON of responses, which may repeat whatever a caller sent."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json


def write_json(content: Any) -> bytes:
    """Return JSON in UTF-8; half of a surrogate pair, which UTF-8 does not have, is escaped as in JSON."""
    try:
        return to_json(content)
    except PydanticSerializationError:
        return json.dumps(content).encode("ascii")

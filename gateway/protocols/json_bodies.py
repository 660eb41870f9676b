"""JSON bodies, read no deeper than is sane."""

import json
import re
from typing import Any

from gateway.errors import BadJsonError

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def read_json(body: bytes, max_depth: int) -> Any:
    """Return the value of a JSON body.

    Raises:
        BadJsonError: it is no JSON in UTF-8, or nested more deeply than `max_depth`.
    """
    _check_depth(body, max_depth)
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        raise BadJsonError("The body is not JSON: it is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadJsonError(f"The body is not JSON: {error.msg.lower()} at character {error.pos}.") from None
    except ValueError:  # an integer of more digits than Python reads
        raise BadJsonError("The body is not JSON that can be read: a number has too many digits.") from None


def _check_depth(body: bytes, max_depth: int) -> None:
    """Refuse what is nested too deeply, before Python's parser recurses into it; brackets in strings count too little.

    Most bodies have fewer brackets than the limit, which two counts tell.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    depth = deepest = 0
    for found in _STRUCTURE.finditer(body):
        mark = found[0][:1]
        depth += (mark in b"[{") - (mark in b"]}")
        deepest = max(deepest, depth)
    if deepest > max_depth:
        raise BadJsonError(f"The JSON body is nested {deepest} deep; at most {max_depth} are accepted.")

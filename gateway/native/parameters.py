"""The native dialect's query parameters."""

import re
from collections.abc import Mapping

from gateway.errors import BadParameterError

_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
_MAX_INT64 = 2**63 - 1
_DEFAULT_TOP_K = 5
_SHOWN_CHARACTERS = 50


def read_version(given: Mapping[str, str]) -> int | None:
    """Return `version`, None if it is not given.

    Raises:
        BadParameterError: it is no positive int64.
    """
    return _whole_number(given, "version")


def read_top_k(given: Mapping[str, str]) -> int:
    """Return `top_k`, how many labels are wanted; 5 if it is not given.

    Raises:
        BadParameterError: it is no positive whole number.
    """
    return _whole_number(given, "top_k") or _DEFAULT_TOP_K


def read_label(given: Mapping[str, str]) -> str | None:
    """Return `label`, the label of a version, None if it is not given.

    Raises:
        BadParameterError: it is empty, or `version` is given too.
    """
    label = given.get("label")
    if label is not None and "version" in given:
        raise BadParameterError("The query parameters version and label exclude each other; send one of them.")
    if label == "":
        raise BadParameterError("The query parameter label cannot be empty.")
    return label


def _whole_number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if _WHOLE_NUMBER.fullmatch(text) and 1 <= int(text) <= _MAX_INT64:
        return int(text)
    raise BadParameterError(
        f"The query parameter {name} cannot be {text[:_SHOWN_CHARACTERS]!r}; send a whole number from 1."
    )

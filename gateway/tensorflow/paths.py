"""Parses request targets of TensorFlow Serving's REST API.

Targets are parsed as they appear in the request line: a query is part of the name, and only names are unescaped. The
path is case-insensitive, except for the verb (`:predict`).
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.errors import BadParameterError
from gateway.http.protocol_of_path import malformed_target

PREDICT, CLASSIFY, REGRESS, STATUS, METADATA = "predict", "classify", "regress", "status", "metadata"

_NAMED = r"(?i:/v1/models)/(?P<model>[^/:]+)(?:/(?i:versions)/(?P<version>[0-9]+)|/(?i:labels)/(?P<label>[^/:]+))?"
_CALL = re.compile(_NAMED + r":(?P<verb>predict|classify|regress)")
_LOOK = re.compile(_NAMED + r"(?:/(?P<rest>(?i:metadata)))?")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_MAX_VERSION = 2**63 - 1
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Target:
    """One request to a model: `verb` of its latest version, of `version`, or of the version with the label `label`."""

    model: str
    verb: str
    version: int | None = None
    label: str | None = None

    @property
    def wanted(self) -> str:
        """The model and version, in TensorFlow Serving's words."""
        return f"Latest({self.model})" if self.version is None else f"Specific({self.model}, {self.version})"


def has_broken_escape(target: str) -> bool:
    """Return whether a `%` is not followed by two hexadecimal digits."""
    return _BROKEN_ESCAPE.search(target) is not None


def read_target(method: str, target: str) -> Target:
    """Return the parsed target of `METHOD target`; `target` is as in the request line, still escaped.

    Raises:
        MalformedTargetError: it is not a request of this API.
        BadParameterError: the version is not a 64-bit number.
    """
    found = {"POST": _CALL, "GET": _LOOK}[method].fullmatch(target) if method in {"POST", "GET"} else None
    if found is None:
        raise malformed_target(method, target)
    groups = found.groupdict()
    version, label = groups["version"], groups["label"]
    return Target(
        _unescaped(groups["model"]),
        groups["verb"] if method == "POST" else _what_to_see(groups["rest"]),
        None if version is None else _read_version(version),
        None if label is None else _unescaped(label),
    )


def _what_to_see(rest: str | None) -> str:
    return METADATA if rest == METADATA else STATUS  # in another case it is ignored, as by TensorFlow Serving


def _read_version(digits: str) -> int:
    version = int(digits) if len(digits) < 1000 else _MAX_VERSION + 1  # Python raises ValueError for very long ones
    if version > _MAX_VERSION:
        raise BadParameterError(f"The version {digits[:_SHOWN_CHARACTERS]} is larger than {_MAX_VERSION}.")
    return version


def _unescaped(name: str) -> str:
    return unquote_to_bytes(name).decode("utf-8", errors="replace")

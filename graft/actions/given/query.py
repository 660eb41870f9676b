"""The query of a URL, of whatever names were given."""

from collections.abc import Mapping
from urllib.parse import urlencode


def with_query(path: str, values: Mapping[str, str | int]) -> str:
    """Return a path with a query, if there are values; bytes of a name that are not UTF-8 are sent as they are.

    Whether there is a model of such a name is for the service to say.
    """
    return f"{path}?{urlencode(values, errors='surrogateescape')}" if values else path

"""The lineage of the command line: GRAFT_LINEAGE_URL's, or lineage.db in the current folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.database.location import lineage_url
from lineage.errors import NotRecordedError
from lineage.store import Lineage, open_lineage


def default_lineage(*, create: bool) -> Lineage:
    """Open it, or `create` it where there is none. Use it in a `with`.

    Raises:
        NotRecordedError: there is none, and it is not to be created.
        LineageError: it cannot be used.
    """
    return open_lineage(lineage_url(os.environ, Path.cwd()), create=create)


@contextmanager
def default_lineage_if_any() -> Iterator[Lineage | None]:
    """Open it for a `with`; None where there is none.

    Raises:
        LineageError: it cannot be used.
    """
    try:
        lineage = default_lineage(create=False)
    except NotRecordedError:
        yield None
        return
    with lineage:
        yield lineage

"""Whose certificates a client trusts."""

import ssl
from pathlib import Path

from graft.errors import CommandError


def trust_of(ca: Path | None) -> ssl.SSLContext:
    """Return the context of a client that trusts the authorities in a PEM file, or else the system's.

    Raises:
        CommandError: the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"{ca} holds no certificates to trust ({error}); --ca takes a PEM file.") from error

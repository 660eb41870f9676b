"""Where the lineage is stored: a file, or a PostgreSQL database."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from lineage.errors import LineageAddressError

URL_VARIABLE = "GRAFT_LINEAGE_URL"
FILE_NAME = "lineage.db"

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",  # as many hosts still spell it
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_FORMS = "give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


def lineage_url(environment: Mapping[str, str], default_folder: Path) -> str:
    """Return the address from GRAFT_LINEAGE_URL, else that of the file lineage.db in `default_folder`."""
    default = URL.create("sqlite", database=str(default_folder.absolute() / FILE_NAME))
    return environment.get(URL_VARIABLE) or default.render_as_string()


def read_address(url: str) -> URL:
    """Return the address in parts, with the driver that is used.

    Raises:
        LineageAddressError: it is not an address, or of a database that is not supported. The message never repeats
            the address, which may contain a password.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is not a number
        raise LineageAddressError(f"The address of the lineage cannot be read; {_FORMS}.") from None
    if address.drivername not in _DRIVERS:
        raise LineageAddressError(f"Lineage is stored in SQLite or PostgreSQL, not in {address.drivername}; {_FORMS}.")
    if "@" in (address.host or ""):  # what follows the first @ of a password would be shown as the host
        raise LineageAddressError("The password in the lineage's address has an @; write it as %40.")
    if address.get_backend_name() == "sqlite" and address.database in {None, "", ":memory:"}:
        raise LineageAddressError("The lineage's address names no file, so it would be lost; give sqlite:///FILE.")
    return address.set(drivername=_DRIVERS[address.drivername])


def describe(address: URL) -> str:
    """Return the address for people: a file, or server and database; never user, password or options."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    return f"{address.host or address.query.get('host', 'localhost')}:{address.port or 5432}/{address.database or ''}"

"""What can go wrong between the packages and the record of where models come from.

    LineageError
    ├── LineageAddressError    an address that is not valid, or of a database that is not supported
    ├── LineageUnreadableError no connection, no permission, no driver, or a file that is not a lineage
    ├── LineageNewerError      a lineage that a newer Graft has written
    ├── ConflictError          something else is recorded under this name already
    ├── NotRecordedError       nothing is recorded under this name
    └── AmbiguousError         more than one thing is recorded under this name

Every message is one sentence for the person at the command line: what was wrong, what was seen, what to do. None
contains a password.
"""


class LineageError(Exception):
    """The family's root."""


class LineageAddressError(LineageError):
    """An address that is not valid, or of a database that is not supported."""


class LineageUnreadableError(LineageError):
    """The database cannot be reached, opened, read or written."""


class LineageNewerError(LineageError):
    """The database was written by a newer Graft."""


class ConflictError(LineageError):
    """Something else is recorded under this name already; what is recorded never changes."""


class NotRecordedError(LineageError):
    """Nothing is recorded under this name."""


class AmbiguousError(LineageError):
    """More than one thing is recorded under this name."""

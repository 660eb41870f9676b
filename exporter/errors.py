"""What can go wrong between a trained model and published files.

    ExportError
    ├── FixtureError   the pictures that should prove the export cannot be had
    └── ParityError    the exported model does not answer as the trained one; a gate said no

Every message is one sentence for the person at the command line: what was wrong, what was seen, what to do.
"""


class ExportError(Exception):
    """The family's root."""


class FixtureError(ExportError):
    """The pictures that should prove the export cannot be had."""


class ParityError(ExportError):
    """The exported model does not answer as the trained one."""

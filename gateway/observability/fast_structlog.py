"""structlog without `rich`, which it would load for tracebacks that the log does not use: 0.1 s of the gateway's start.

Those tracebacks show the values of variables, too, which is what a log must not do.
"""

import sys

__all__ = ["structlog"]

_UNWANTED = "rich"

_is_loaded = _UNWANTED in sys.modules
if not _is_loaded:
    sys.modules[_UNWANTED] = None  # type: ignore[assignment] # the import system's own way to say that it is not there
try:
    import structlog
finally:
    if not _is_loaded:
        del sys.modules[_UNWANTED]

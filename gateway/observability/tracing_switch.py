"""Turns tracing on. If it is off, OpenTelemetry is not imported."""

from typing import TYPE_CHECKING

from gateway.errors import BadSettingError
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.observability.tracing import Tracing


def open_tracing(settings: Settings) -> "Tracing | None":
    """Return the tracing of this process, which starts its threads; None if it is off.

    Raises:
        BadSettingError: OpenTelemetry is not installed, or its variables select something that is not supported.
    """
    tracing = check_tracing(settings)
    return None if tracing is None else tracing()


def check_tracing(settings: Settings) -> "type[Tracing] | None":
    """Check that requests can be traced if tracing is on; return the class for it, None if it is off.

    Raises:
        BadSettingError: as `open_tracing`.
    """
    if not settings.tracing:
        return None
    try:
        from gateway.observability.tracing import Tracing  # noqa: PLC0415 - an extra, and a third of a second
    except ImportError as error:
        raise BadSettingError(
            f"Tracing is on, but OpenTelemetry is not installed ({error.name} is missing): "
            "`pip install 'graft-serving[tracing]'`, or set tracing to false."
        ) from error
    Tracing.check_variables()
    return Tracing

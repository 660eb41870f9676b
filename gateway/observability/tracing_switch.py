"""Whether requests are traced. Without it nothing of OpenTelemetry is imported."""

from typing import TYPE_CHECKING

from gateway.errors import BadSettingError
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.observability.tracing import Tracing


def open_tracing(settings: Settings) -> "Tracing | None":
    """Return what traces requests, None where the settings do not ask for it; its threads begin with it.

    Raises:
        BadSettingError: OpenTelemetry is not installed, or its variables ask for what it cannot do here.
    """
    tracing = check_tracing(settings)
    return None if tracing is None else tracing()


def check_tracing(settings: Settings) -> "type[Tracing] | None":
    """Look whether requests can be traced, if they are to be; return what does it.

    Raises:
        BadSettingError: as `open_tracing`.
    """
    if not settings.tracing:
        return None
    try:
        from gateway.observability.tracing import Tracing  # noqa: PLC0415 - an extra, and a third of a second
    except ImportError as error:
        raise BadSettingError(
            f"Tracing is on, and OpenTelemetry is not installed ({error.name} is missing): "
            "`pip install 'graft-serving[tracing]'`, or set tracing to false."
        ) from error
    Tracing.check_variables()
    return Tracing

"""Turns tracing on. If it is off, OpenTelemetry is not imported."""

from typing import TYPE_CHECKING

from modelserver.errors import SettingError
from modelserver.settings import ModelServerSettings

if TYPE_CHECKING:
    from modelserver.tracing.call_spans import CallTracing


def open_tracing(settings: ModelServerSettings) -> "CallTracing | None":
    """Return the tracing of this process, which starts its thread; None if it is off.

    Raises:
        SettingError: as `check_tracing`.
    """
    tracing = check_tracing(settings)
    return None if tracing is None else tracing()


def check_tracing(settings: ModelServerSettings) -> "type[CallTracing] | None":
    """Check that calls can be traced if tracing is on; return the class for it, None if it is off.

    Raises:
        SettingError: OpenTelemetry is not installed, or its variables select something that is not supported.
    """
    if not settings.tracing:
        return None
    try:
        from contract.process.span_export import unsupported_variable  # noqa: PLC0415 - an extra, and 0.3 seconds
        from modelserver.tracing.call_spans import CallTracing  # noqa: PLC0415
    except ImportError as error:
        raise SettingError(
            f"--tracing is given, but OpenTelemetry is not installed ({error.name} is missing): "
            "`pip install 'graft-serving[tracing]'`, or leave --tracing out."
        ) from error
    if problem := unsupported_variable():
        raise SettingError(problem)
    return CallTracing

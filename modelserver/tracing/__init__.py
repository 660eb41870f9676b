"""Spans of calls; all that knows OpenTelemetry is in `call_spans`."""

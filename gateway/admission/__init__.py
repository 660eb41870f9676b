"""Admission control: limits on requests in flight, the queue and circuit breakers."""

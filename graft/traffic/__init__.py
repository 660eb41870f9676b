"""Load on a service over HTTP, and what the processes that carry it use."""

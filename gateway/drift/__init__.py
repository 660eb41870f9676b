"""Whether production still looks like the reference."""

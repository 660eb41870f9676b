"""What `graft bench` does: load on a running service, and what came of it."""

"""The verbs of `graft runs`."""

"""Calls to the model server."""

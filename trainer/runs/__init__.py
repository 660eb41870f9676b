"""Finished runs on disk: record, model, environment."""

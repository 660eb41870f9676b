"""Comparing everything that serves a version."""

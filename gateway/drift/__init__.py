"""Drift: how far images and predictions in production are from the reference."""

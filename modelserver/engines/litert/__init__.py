"""Versions whose network LiteRT runs."""

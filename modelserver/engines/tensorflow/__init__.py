"""Versions that TensorFlow runs as a whole."""

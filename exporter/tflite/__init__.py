"""Conversion to TFLite files."""

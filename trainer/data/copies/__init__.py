"""Copies of images: fingerprints without decoding in full, splits that keep copies together, and the list of leaks."""

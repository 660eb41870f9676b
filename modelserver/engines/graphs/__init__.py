"""Graphs of TensorFlow, run by its C library without its Python."""

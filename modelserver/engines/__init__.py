"""TensorFlow and LiteRT behind one protocol."""

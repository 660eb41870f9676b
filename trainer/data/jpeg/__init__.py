"""In a TensorFlow graph: JPEGs, read and decoded."""

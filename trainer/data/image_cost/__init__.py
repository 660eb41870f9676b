"""In a TensorFlow graph: whether an encoded image would take far more to decode than its pixels need."""

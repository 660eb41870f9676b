"""From an HTTP request to a labelled answer, without TensorFlow."""

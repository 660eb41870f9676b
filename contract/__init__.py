"""What the packages agree on: data and pure functions, without TensorFlow."""

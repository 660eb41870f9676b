"""TensorFlow Serving's gRPC API on a plain Python install."""

"""The HTTP gateway: from requests with images to labelled predictions, without TensorFlow."""

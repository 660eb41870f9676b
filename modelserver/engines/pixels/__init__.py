"""Images to pixels without TensorFlow, to the same bits as the served graph's, or not at all."""

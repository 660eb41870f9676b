"""Training: from labelled images to a trained model."""

"""From a trained model to published files."""

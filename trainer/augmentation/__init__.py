"""Random variations of training images."""

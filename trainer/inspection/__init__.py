"""What a folder of images holds, as training would see it, without TensorFlow: for `graft data inspect`."""

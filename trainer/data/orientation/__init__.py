"""In a TensorFlow graph: the EXIF orientation of encoded images."""

"""The EXIF orientation of encoded images, read in a TensorFlow graph; `in_bytes` reads it in Python."""

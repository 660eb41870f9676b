"""The names of a served model's signatures; `docs/published-version.md` describes their inputs and outputs."""

SERVING_DEFAULT = "serving_default"
"""Encoded images to probabilities; also TensorFlow Serving's name for the signature of a request that names none."""

SERVING_PIXELS = "serving_pixels"
"""Decoded and resized pixels to probabilities."""

PIXELS_OF_IMAGE = "pixels_of_image"
"""One encoded image to its pixels, as `serving_default` decodes it."""

DESCRIBE = "describe"
"""Anything to the version's manifest."""

HEATMAP = "heatmap"
"""Encoded images to where in them the prediction comes from; only in versions that were exported with it."""

IMAGE_INPUT = "image_bytes"
"""The input that holds encoded images, in every signature that takes any."""

"""Writing a SavedModel made for serving."""

"""What `graft probe` does: it predicts an image as a caller would, again and again, and shows how that went."""

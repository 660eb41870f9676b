"""What a loaded version is, whichever engine runs it: signatures, tensors, calls."""

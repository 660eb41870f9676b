"""The native protocol: images in, labels out, and pages about models."""

"""Disks that cannot be written, in words."""

"""The verb `data` on the command line."""

"""The verbs on the command line: options and help."""

"""Which versions are served: found, loaded, labelled, replaced."""

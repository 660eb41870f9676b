"""The verb `evaluate`: a served version on labelled images that are not its own."""

"""What the verbs do."""

"""Which data, code and base made which model, and where it went."""

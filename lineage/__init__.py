"""Which data, code and base weights made which model, and where the model went."""

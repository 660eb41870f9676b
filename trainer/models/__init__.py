"""Network architectures, their weights, heads and optimizers."""

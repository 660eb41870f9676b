"""Proofs that an export predicts what the trained model predicts."""

"""Prediction for all protocols."""

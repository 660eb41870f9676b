"""The verb `predict`: what its arguments stand for, how images are sent, and how predictions are written."""

"""How many requests are in flight, and what happens to the rest."""

"""The verb `up`: which models are served, the two processes that serve them, and what is said about it."""

"""Requests of different clients in one run of the graph."""

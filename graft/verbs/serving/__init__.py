"""Verbs that serve: the gateway, the model server, both together."""

"""What arrives on a connection, before it is a request: its framing, and the checks of its head."""

"""The HTTP dialects of the gateway, one module each."""

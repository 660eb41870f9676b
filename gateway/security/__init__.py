"""Access control: keys, tokens, rate limits and TLS."""

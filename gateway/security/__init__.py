"""Who may call: keys, tokens, rate limits and TLS."""

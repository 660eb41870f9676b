"""What every route has in common: the server, its connections, bodies, and errors as responses."""

"""HTTP for all protocols: the server, its connections, request bodies and error responses."""

"""The page at `/`: drop an image, see its prediction; a client of the native protocol in static files."""

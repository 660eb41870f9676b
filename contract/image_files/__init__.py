"""What an encoded image says besides its pixels: how it is turned, and where its data end."""

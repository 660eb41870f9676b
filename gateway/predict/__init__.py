"""From images to labels, whatever the protocol."""

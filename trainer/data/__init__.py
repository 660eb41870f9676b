"""From a folder of labelled images to decoded, checked splits."""

"""The verb `data`: what a folder of images holds, before anything is trained on it."""

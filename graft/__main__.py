"""`python -m graft`, the same as the command `graft`."""

from graft.cli import main

main()

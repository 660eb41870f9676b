"""The user of this process."""

import getpass
import os


def current_user() -> str:
    """Return the name of the user that runs this process, or the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"

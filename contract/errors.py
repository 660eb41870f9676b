"""The one error of this package."""


class ContractError(Exception):
    """A file or record is not as agreed.

    The message is one sentence for the person who runs the command: what was wrong, what was seen, what to do.
    """

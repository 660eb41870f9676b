"""Who changes what is served, and why: the reason that `withdraw` and `rollback` record."""

from dataclasses import dataclass
from pathlib import Path

from contract.versions import published_versions
from graft.errors import CommandError
from lineage.people import current_user


@dataclass(frozen=True)
class Reason:
    """Who wants a change, and why."""

    who: str
    why: str

    @classmethod
    def given(cls, why: str, who: str | None) -> "Reason":
        """Return what the command line gives, or this user if it names no one.

        Raises:
            CommandError: there is no reason.
        """
        if not why.strip():
            raise CommandError("Give the reason, which is recorded: --why TEXT.")
        return cls(recordable(who or current_user(), "--who"), recordable(why, "--why"))


def recordable(text: str, option: str) -> str:
    """Return a text that a record can hold, as it is.

    Raises:
        CommandError: it has bytes that are not UTF-8.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise CommandError(f"{option} takes text in UTF-8, which is recorded; {text} was given.")
    return text


def published_line(base_path: Path) -> str:
    """Return which versions are published under a base path, to end a sentence that refuses one."""
    return f"published under {base_path}: {', '.join(map(str, published_versions(base_path))) or 'none'}"

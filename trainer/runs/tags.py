"""The tags of a run: names that people give it, in a file of its folder. The lineage does not know them."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from contract.storage.unwritable import naming_folder
from trainer.errors import RunFileError

TAGS = "tags.json"
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_tag(text: str) -> bool:
    """Return whether a text can be a tag: letters, digits, `.`, `_` and `-`."""
    return bool(_TAG.fullmatch(text))


def tags_of(folder: Path) -> tuple[str, ...]:
    """Return the tags of the run in `folder`, sorted.

    Raises:
        RunFileError: their file cannot be read.
    """
    file = folder / TAGS
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise RunFileError(f"The tags in {file} cannot be read ({error}); remove the file to have none.") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise RunFileError(f"The tags in {file} are not a list of names; remove the file to have none.")
    return tuple(sorted(found))


def write_tags(folder: Path, tags: Iterable[str]) -> None:
    """Replace the tags of the run in `folder`, all at once."""
    unfinished = folder / f".{TAGS}"
    with naming_folder(folder):
        unfinished.write_text(json.dumps(sorted(set(tags))) + "\n")
        unfinished.replace(folder / TAGS)


def tagged(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the one of the run folders that has the tag `name`; None if none has."""
    return next((folder for folder in folders if name in tags_of(folder)), None)

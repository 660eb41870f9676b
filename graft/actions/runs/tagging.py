"""The verb `runs tag`: a name for a run, usable wherever a run can be named."""

from pathlib import Path

from graft.actions.given.arguments import refuse_other_than_run
from graft.errors import CommandError
from graft.tables import print_line, wide_console
from trainer.errors import RunNotFoundError
from trainer.runs.record import LATEST, find_run, list_runs, read_record, unfinished_runs
from trainer.runs.tags import is_tag, tagged, tags_of, write_tags
from trainer.runs.unfinished import find_unfinished


def tag_run(runs: Path, run: str, tag: str) -> None:
    """Give a run a tag that no other run under `runs` has.

    Raises:
        CommandError: the tag cannot be one, or it already means something else.
        RunNotFoundError: there is no such run.
    """
    folder = find_any_run(run, runs)
    known = [*list_runs(runs), *unfinished_runs(runs)]
    if not is_tag(tag):
        raise CommandError(f"A tag may have letters, digits, '.', '_' and '-'; {tag!r} was given.")
    if meaning := _meaning(tag, known):
        raise CommandError(f"The tag {tag} would be taken for {meaning}; choose another.")
    owner = tagged(tag, known)
    if owner is not None and owner.name != folder.name:
        raise CommandError(
            f"The run {owner.name} has the tag {tag}; graft runs tag {owner.name} {tag} --remove takes it away."
        )
    write_tags(folder, [*tags_of(folder), tag])
    print_line(wide_console(), f"{folder.name} has the tags {', '.join(tags_of(folder))}.")


def untag_run(runs: Path, run: str, tag: str) -> None:
    """Take a tag from a run.

    Raises:
        CommandError: the run does not have it.
        RunNotFoundError: there is no such run.
    """
    folder = find_any_run(run, runs)
    tags = tags_of(folder)
    if tag not in tags:
        has = f"it has {', '.join(tags)}" if tags else "it has none"
        raise CommandError(f"The run {folder.name} does not have the tag {tag}; {has}.")
    write_tags(folder, [each for each in tags if each != tag])
    print_line(wide_console(), f"{folder.name} does not have the tag {tag} any more.")


def find_any_run(name: str, runs: Path) -> Path:
    """Find a run, finished or not.

    Raises:
        CommandError: the name is the path of something else.
        RunNotFoundError: there is no such run.
    """
    try:
        return find_run(name, runs)
    except RunNotFoundError as error:
        refuse_other_than_run(name, runs)
        try:
            return find_unfinished(name, runs)
        except RunNotFoundError:
            raise error from None


def _meaning(tag: str, known: list[Path]) -> str:
    if tag == LATEST:
        return "the latest run"
    if any(folder.name.startswith(tag) for folder in known):
        return "the beginning of a run's id"
    return "the name of runs" if tag in {_name_of(folder) for folder in known} else ""


def _name_of(folder: Path) -> str | None:
    try:
        return read_record(folder).name
    except RunNotFoundError:
        return None

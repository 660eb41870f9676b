"""The arguments of verbs: a version, a model, a run, a folder for either; other kinds are refused in words."""

import sys
from pathlib import Path

from contract.plain_text import plain_text
from contract.versions import withdrawn_versions
from graft.actions.given.kinds import Kind, instead, kind_of, latest_version, listed, versions_of
from graft.errors import CommandError
from trainer.data.folders.walk import plain_name
from trainer.errors import RunNotFoundError
from trainer.runs.record import find_run

_VERSION = ("version", "models/NAME/VERSION")
_MODEL = ("model", "models/NAME")
_RUN = ("run", "by its folder, its id, a tag, its name or latest")


def given_version(path: Path) -> Path:
    """Return the version that was given; of a model its latest, which is said on standard error.

    Raises:
        CommandError: it is something else; a path that may be a damaged version comes back.
    """
    if kind_of(path) is Kind.MODEL:
        latest = latest_version(path)
        _tell(f"{path} is a model; taking its latest version, {latest}.")
        return latest
    return exact_version(path)


def exact_version(path: Path) -> Path:
    """Return the version that was given, where taking the latest of a model would do harm.

    Raises:
        CommandError: it is something else; a path that may be a damaged version comes back.
    """
    if kind_of(path) is not Kind.VERSION and not _may_be_version(path):
        raise CommandError(instead(path, *_VERSION))
    return path


def given_model(path: Path) -> Path:
    """Return the model that was given; of a version its model, which is said on standard error.

    Raises:
        CommandError: it is something else.
    """
    if kind_of(path) is Kind.VERSION and kind_of(path.absolute().parent) is Kind.MODEL:
        model = path.absolute().parent if path.name in {"", ".."} else path.parent
        _tell(f"{path} is a version; taking its model, {model}.")
        return model
    if kind_of(path) is not Kind.MODEL and not _may_be_model(path):
        raise CommandError(instead(path, *_MODEL))
    return path


def given_run(name: str, runs: Path) -> Path:
    """Return the folder of the finished run that was given.

    Raises:
        CommandError: the name is the path of something else.
        RunNotFoundError: there is no such run.
    """
    try:
        return find_run(name, runs)
    except RunNotFoundError:
        refuse_other_than_run(name, runs)
        raise


def refuse_other_than_run(name: str, runs: Path) -> None:
    """Refuse a name that is the path of something that is not a run, and a folder of runs that is something else.

    Raises:
        CommandError: it is.
    """
    path = Path(name)
    if kind_of(path) not in {Kind.NOTHING, Kind.RUN, Kind.FOLDER}:
        raise CommandError(instead(path, *_RUN))
    refuse_as_parent(runs, "--runs")


def refuse_as_parent(folder: Path, option: str) -> None:
    """Refuse a folder of runs, or of models, that is itself one of them or lies within one.

    Raises:
        CommandError: it does.
    """
    kind = kind_of(folder)
    if kind in {Kind.VERSION, Kind.SAVED_MODEL, Kind.BUNDLE, Kind.RUN, Kind.MODEL}:
        above = folder.parent.parent if kind is Kind.VERSION else folder.parent
        raise CommandError(
            f"{option} is a folder with a sub-folder for each, but {plain_name(folder)} is {kind.value}; "
            f"give {option} {plain_name(above)}."
        )


def refuse_as_data(folder: Path) -> None:
    """Refuse what Graft wrote where a folder of images is needed.

    Raises:
        CommandError: it is a run, a version or a bundle, or holds them.
    """
    kind = kind_of(folder)
    if kind not in {Kind.NOTHING, Kind.FILE, Kind.FOLDER}:
        raise CommandError(
            f"{plain_name(folder)} is {kind.value}, and what is needed is a folder with one sub-folder of images per "
            "class."
        )


def refuse_as_target(model: Path) -> None:
    """Refuse a version where `graft rollback` needs a model and a number.

    Raises:
        CommandError: it is a version.
    """
    if kind_of(model) is Kind.VERSION:
        base_path = model.parent
        raise CommandError(
            f"{plain_name(model)} is a published version; give its model, and the version to go back to: "
            f"graft rollback {plain_name(base_path)} --to {model.name} (published: {listed(versions_of(base_path))})."
        )
    given_model(model)


def _may_be_version(path: Path) -> bool:
    """Return whether whoever reads the path says best what is wrong with it: a damaged version."""
    return path.is_dir() and path.name.isdecimal() and kind_of(path) in {Kind.FOLDER, Kind.SAVED_MODEL}


def _may_be_model(path: Path) -> bool:
    """Whether it is a folder with nothing in it, or whose versions were all withdrawn."""
    if kind_of(path) is not Kind.FOLDER:
        return False
    return bool(withdrawn_versions(path)) or all(each.name.startswith(".") for each in path.iterdir())


def _tell(text: str) -> None:
    print(plain_text(text), file=sys.stderr)  # noqa: T201 - this is the command's own output

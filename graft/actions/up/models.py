"""Which models of a folder are served."""

from collections.abc import Sequence
from pathlib import Path

from contract.versions import published_versions
from graft.errors import CommandError


def chosen_models(models: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the base paths of the named models under `models` by name; without names, of all that are published.

    Raises:
        CommandError: there is none, or a name is not one of them.
    """
    there = {path.name: path for path in sorted(models.glob("*")) if published_versions(path)}
    if not there:
        raise CommandError(_no_model(models))
    for name in names:
        if name not in there:
            raise CommandError(f"There is no published model {name!r} under {models}; there {_are(list(there))}.")
    return {name: there[name] for name in dict.fromkeys(names)} if names else there


def only_model(models: Path, names: Sequence[str]) -> str:
    """Return the name of the one model that is meant.

    Raises:
        CommandError: there is none, or more than one.
    """
    chosen = list(chosen_models(models, names))
    if len(chosen) > 1:
        raise CommandError(f"This takes one model at a time, and there {_are(chosen)}; choose one with --name.")
    return chosen[0]


def _are(names: Sequence[str]) -> str:
    return f"is {names[0]}" if len(names) == 1 else f"are {', '.join(names)}"


def _no_model(models: Path) -> str:
    if published_versions(models):
        return (
            f"{models} is the folder of one model; give the folder that it lies in: "
            f"--models {models.resolve().parent} --name {models.resolve().name}."
        )
    return f"There is no published model under {models}; `graft export` makes one."

"""Where it is written that a run was pruned: its folder is gone on purpose, and its lineage entry stays true."""

from pathlib import Path

PRUNED = ".pruned"
"""The folder beside the runs, hidden from whatever lists them."""


def pruned_record(run_folder: Path) -> Path:
    """Return the file that says when and by whom the run of this folder was pruned; it exists only if it was."""
    return run_folder.parent / PRUNED / f"{run_folder.name}.json"

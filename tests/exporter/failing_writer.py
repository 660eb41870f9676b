"""A writer that fails, in a module of its own: a fresh process imports it without TensorFlow."""

from pathlib import Path
from typing import NoReturn

from contract.image_input import ImageInput


def write_and_fail(run_folder: Path, target: Path, image_input: ImageInput, *, fold: bool) -> NoReturn:
    """Write a file, then fail."""
    (target / "saved_model.pb").write_bytes(b"half")
    raise OSError("the disk is full")

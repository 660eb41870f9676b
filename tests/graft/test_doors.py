"""The packages' doors: what importing one costs, and what can be had through `graft`."""

import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import graft
from graft.verbs.export import export as export_verb
from graft.verbs.train import train as train_verb

HEAVY = ("tensorflow", "keras", "numpy", "PIL", "pydantic", "typer")


@pytest.mark.parametrize("package", ["trainer", "exporter", "graft"])
def test_importing_a_package_costs_nothing(package: str) -> None:
    """A package's door imports no library; TensorFlow least of all."""
    code = f"import sys, {package}; print([name for name in {HEAVY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("function", ["train", "export", "load", "resume"])
def test_a_function_costs_no_tensorflow_before_it_is_called(function: str) -> None:
    """`from graft import load` and a misspelled path come without TensorFlow."""
    code = f"import sys; from graft import {function}; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "False False"


def test_the_door_is_exact() -> None:
    """`graft` lists its functions, has no others, and says which one is missing."""
    assert set(graft.__all__) <= set(dir(graft))
    assert [name for name in graft.__all__ if not callable(getattr(graft, name))] == []
    modules = {module.name for module in pkgutil.iter_modules(graft.__path__)}
    assert set(graft.__all__) & modules == set(), "importing a module of this name would hide the function"
    with pytest.raises(AttributeError, match="module 'graft' has no attribute 'serve'"):
        graft.serve  # type: ignore[attr-defined]  # noqa: B018 - looking it up is the point


@pytest.mark.parametrize(
    ("function", "verb", "only_there"),
    [
        (graft.train, train_verb, {"assignments", "resume", "preview_augmentation"}),
        (graft.export, export_verb, set()),
    ],
)
def test_the_options_are_those_of_the_command(
    function: Callable[..., Any], verb: Callable[..., Any], only_there: set[str]
) -> None:
    """Whatever the command can be told, the function can be told by the same name; `--set` is called settings."""
    here, there = (set(inspect.signature(each).parameters) for each in (function, verb))
    assert there - here == only_there
    assert here - there <= {"settings", "quiet"}


def test_what_cannot_be_loaded_is_told_in_a_sentence() -> None:
    """A path without a version is refused before TensorFlow is started."""
    code = (
        "import sys, graft\nfrom contract.errors import ContractError\n"
        "try: graft.load('nowhere')\nexcept ContractError as error: print(error, 'tensorflow' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "There is no version at nowhere; published under .: none. False"


def test_a_name_that_cannot_be_a_models_is_refused() -> None:
    """A bad option ends in the same sentence as on the command line."""
    with pytest.raises(Exception, match="A model's name may have letters"):
        graft.train(".", "a/b")

"""How `graft train` refuses a flag that it does not have: with the one that is meant, also in Keras scripts."""

import difflib
import re
from typing import Any

from typer.core import TyperCommand

from graft.errors import CommandError

_FLAG = re.compile(r"(--?[A-Za-z][\w.-]*)(?:=.*)?", re.DOTALL)
_STEPS = "--set 'augmentation.steps=[{kind=\"flip\"}]'"
_FOLDER = "the folder alone, graft train DATA"

MEANT = {
    "augment": _STEPS,
    "augmentation": _STEPS,
    "backbone": "--architecture",
    "bs": "--batch-size",
    "class-weight": "--set data.class_weights=on",
    "data": _FOLDER,
    "data-dir": _FOLDER,
    "dataset": _FOLDER,
    "directory": _FOLDER,
    "early-stopping": "--patience",
    "fine-tune-at": "--unfreeze",
    "img-size": "--image-size",
    "initial-epoch": "--resume",
    "input-shape": "--image-size",
    "input-size": "--image-size",
    "lr": "--learning-rate",
    "model": "--architecture",
    "model-name": "--name",
    "out": "--runs",
    "output": "--runs",
    "output-dir": "--runs",
    "pretrained": "--weights",
    "random-state": "--seed",
    "save-dir": "--runs",
    "target-size": "--image-size",
    "test-split": "--set data.test_share=0.15",
    "train-dir": _FOLDER,
    "trainable-layers": "--unfreeze",
    "val-split": "--set data.validation_share=0.15",
    "validation-split": "--set data.validation_share=0.15",
    "width": "--alpha",
}
"""What Keras users call what is here, without the dashes, and what it is called here."""


class TrainFlags(TyperCommand):
    """A command that says which option or setting is meant by a flag that it does not have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse flags that are not known.

        Raises:
            CommandError: a flag is not known.
        """
        known = {flag for option in self.get_params(ctx) for flag in option.opts}
        before_end = args[: args.index("--")] if "--" in args else args
        for arg in before_end:
            if (flag := _FLAG.fullmatch(arg)) and flag[1] not in known:
                raise CommandError(_rejection(flag[1], sorted(known)))
        return super().parse_args(ctx, args)


def _rejection(flag: str, known: list[str]) -> str:
    meant = _meant(flag.strip("-").lower().replace("_", "-"), known)
    if meant is None:
        return f"There is no option {flag}; see graft train --help, and graft settings train for --set."
    return f"There is no option {flag}; did you mean {meant}?"


def _meant(spelled: str, known: list[str]) -> str | None:
    from graft.actions.settings import settings_of  # only a wrong flag needs it

    if spelled in MEANT:
        return MEANT[spelled]
    options = {option.lstrip("-"): option for option in known}
    names = [each.name for each in settings_of("train")]
    settings = {name.rpartition(".")[2].replace("_", "-"): name for name in reversed(names)}
    settings |= {name.replace("_", "-"): name for name in names}
    candidates = {**{short: f"--set {name}=VALUE" for short, name in settings.items()}, **options}
    nearest = difflib.get_close_matches(spelled, candidates, n=1, cutoff=0.75)
    return candidates[nearest[0]] if nearest else None

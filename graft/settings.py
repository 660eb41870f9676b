"""Settings of the servers from the command line."""

from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from graft.errors import CommandError

_S = TypeVar("_S", bound=BaseModel)


def make_settings(kind: type[_S], hint: str = "", **given: Any) -> _S:
    """Make the settings of `kind` from what is given and not None; the rest is the class's own affair.

    `hint` tells, with `{name}` for the setting, where else it can be given.

    Raises:
        CommandError: a value is missing or does not fit.
    """
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "combination"
        where = f" {hint.format(name=name.upper())}" if hint else ""
        if first["type"] == "extra_forbidden":
            raise CommandError(_no_such_setting(name, kind)) from error
        tells_input = first["loc"] and first["type"] != "missing"
        seen = f", not {first['input']!r}" if tells_input else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise CommandError(f"The setting {name} does not fit: {reason}{seen}.{where}") from error


def _no_such_setting(name: str, kind: type[BaseModel]) -> str:
    near = get_close_matches(name, kind.model_fields, n=1)
    meant = f" Is {near[0]} meant?" if near else ""
    return f"There is no setting {name}; `graft settings` lists all.{meant}"

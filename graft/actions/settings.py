"""The verb `settings`: every setting of a program, with its default and what it is for."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.settings import ENVIRONMENT_PREFIX, Settings
from graft.tables import plain_table, print_line, wide_console
from modelserver.settings import ModelServerSettings
from trainer.config import TrainingConfig


class Setting(NamedTuple):
    """A setting as people give it; `default` is JSON, or says that there is none or that the machine decides."""

    name: str
    default: str
    description: str


PROGRAMS: dict[str, tuple[type[BaseModel], str]] = {
    "train": (TrainingConfig, "graft train --set NAME=VALUE, or --config FILE"),
    "gateway": (Settings, f"environment variables, such as {ENVIRONMENT_PREFIX}PORT"),
    "modelserver": (ModelServerSettings, "graft modelserver --NAME=VALUE"),
}


def settings_of(program: str) -> list[Setting]:
    """Return all settings of a program of `PROGRAMS`, in the order of its class; those in groups as `group.name`."""
    kind, _ = PROGRAMS[program]
    return [each._replace(name=_spelled(program, each.name)) for each in _settings_in(kind, "")]


def list_settings(program: str, as_json: bool) -> None:
    """Print the settings of a program, or of all where `program` is empty."""
    chosen = [program] if program else list(PROGRAMS)
    if as_json:
        found = {name: [each._asdict() for each in settings_of(name)] for name in chosen}
        print(json.dumps(found, indent=2))  # noqa: T201 - this is the command's own output
        return
    console = wide_console()
    for number, name in enumerate(chosen):
        if number:
            console.print()
        print_line(console, f"{name}: {PROGRAMS[name][1]}")
        console.print(plain_table(("setting", "default", "what it is for"), settings_of(name)))


def _spelled(program: str, name: str) -> str:
    """Return a setting's name as people give it."""
    if program == "gateway":
        return ENVIRONMENT_PREFIX + name.upper()
    return f"--{name}" if program == "modelserver" else name


def _settings_in(kind: type[BaseModel], group: str, values: Any = None) -> Iterator[Setting]:
    """Yield those of a class; `values` is the group's own default, which may differ from its fields'."""
    for name, field in kind.model_fields.items():
        inner = _group_of(field)
        if inner is not None:
            yield from _settings_in(inner, f"{group}{name}.", field.get_default(call_default_factory=True))
        else:
            default = _default(field) if values is None else _shown(getattr(values, name))
            yield Setting(group + name, default, field.description or "")


def _group_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the class of a group of settings."""
    kinds = [field.annotation, *get_args(field.annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        value: Any = field.get_default(call_default_factory=True)
        return "of this machine" if isinstance(value, int) else _shown(value)
    return "none, has to be given" if field.default is PydanticUndefined else _shown(field.default)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, frozenset | set):
        value = sorted(value)
    return json.dumps(value, default=str, ensure_ascii=False)

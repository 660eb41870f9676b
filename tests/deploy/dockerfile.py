"""The Dockerfile as data: stages and their instructions."""

import re
from dataclasses import dataclass, field

from tests.places import ROOT

_STAGE = re.compile(r"(?P<base>\S+) AS (?P<name>\S+)")
_CONTINUED = re.compile(r"\\\n\s*")


@dataclass
class Stage:
    """One stage: what it is built on, and its instructions in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """Return the arguments of every instruction of this word."""
        return [argument for each, argument in self.instructions if each == word]


@dataclass(frozen=True)
class Dockerfile:
    """What stands before the first stage, and the stages by name."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    def lineage(self, name: str) -> list[Stage]:
        """Return a stage and those it is built on, itself first."""
        found = []
        while name in self.stages:
            found.append(self.stages[name])
            name = self.stages[name].base
        return found

    def last(self, name: str, word: str) -> str:
        """Return the argument of the instruction that holds for a stage: its own last one, or an inherited one."""
        for stage in self.lineage(name):
            if given := stage.all(word):
                return given[-1]
        raise AssertionError(f"{name} has no {word}")


def read_dockerfile() -> Dockerfile:
    """Read the project's Dockerfile."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    current: Stage | None = None
    for line in filter(None, _CONTINUED.sub(" ", text).splitlines()):
        word, _, argument = line.partition(" ")
        if word == "FROM":
            found = _STAGE.fullmatch(argument)
            assert found, line
            current = stages[found["name"]] = Stage(found["name"], found["base"])
        elif current is None:
            name, _, value = argument.partition("=")
            arguments[name] = value
        else:
            current.instructions.append((word, argument.strip()))
    return Dockerfile(arguments, stages)

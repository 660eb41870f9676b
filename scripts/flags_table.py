"""Print the tables of deploy/model-server-flags.toml for docs/deployment.md; a test compares the two."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).parents[1] / "deploy" / "model-server-flags.toml"


@dataclass(frozen=True)
class ServerFlag:
    """A flag of a model server: what it is set to, which servers know it, and why."""

    name: str
    value: str
    servers: tuple[str, ...]
    by_hand: bool
    why: str

    def __str__(self) -> str:
        return f"--{self.name}={self.value}"


@dataclass(frozen=True)
class ServerVariable:
    """A variable in the environment of a program: its value, and why."""

    name: str
    value: str
    by_hand: bool
    why: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True)
class FlagList:
    """The whole list: flags and variables of model servers, and variables of gateways."""

    flags: tuple[ServerFlag, ...]
    variables: tuple[ServerVariable, ...]
    gateway_variables: tuple[ServerVariable, ...]

    def flags_of(self, server: str, model: str) -> set[str]:
        """Return the flags of a server (`tensorflow-serving` or `ours`) as they stand in a command."""
        return {str(flag).replace("$MODEL", model) for flag in self.flags if server in flag.servers}


def read_flag_list() -> FlagList:
    """Return what the file lists.

    Raises:
        KeyError, TypeError: an entry lacks a field, or has one that is not known.
    """
    found = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return FlagList(
        flags=tuple(ServerFlag(**{**flag, "servers": tuple(flag["servers"])}) for flag in found["flag"]),
        variables=tuple(ServerVariable(**variable) for variable in found["variable"]),
        gateway_variables=tuple(ServerVariable(by_hand=False, **each) for each in found["gateway_variable"]),
    )


def flags_table() -> str:
    """Return a Markdown table with a line for each flag and variable: who gets it, and why."""
    listed = read_flag_list()
    rows = ["| given | to | why |", "|---|---|---|"]
    names = {"tensorflow-serving": "TensorFlow Serving", "ours": "our model server"}
    for flag in listed.flags:
        to = names[flag.servers[0]] if len(flag.servers) == 1 else "both model servers"
        rows.append(f"| `{flag}` | {to} | {flag.why} |")
    rows += [f"| `{each}` | both model servers | {each.why} |" for each in listed.variables]
    rows += [f"| `{each}` | the gateway | {each.why} |" for each in listed.gateway_variables]
    return "\n".join(rows)


if __name__ == "__main__":
    print(flags_table())

"""Prints what extras of the project require, one requirement a line; the standard library is enough to run it.

    python extra_requirements.py gateway

The Dockerfile installs these before it copies the code, so that a change of the code downloads nothing again.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

_OWN_EXTRAS = re.compile(r"([\w.-]+)\[([\w,\s.-]+)\]")


def requirements(project: dict[str, Any], extras: list[str]) -> list[str]:
    """Return the requirements of the project with these extras, those of extras that they name included, sorted.

    Raises:
        KeyError: the project has no such extra.
    """
    found = set(project["dependencies"])
    waiting, seen = list(extras), set()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in project["optional-dependencies"][extra]:
            own = _OWN_EXTRAS.fullmatch(requirement)
            if own and own[1] == project["name"]:
                waiting.extend(name.strip() for name in own[2].split(","))
            else:
                found.add(requirement)
    return sorted(found)


def main(extras: list[str]) -> int:
    """Print the requirements of the extras; return 2 where one is not in pyproject.toml."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        lines = requirements(project, extras)
    except KeyError as missing:
        known = ", ".join(sorted(project["optional-dependencies"]))
        print(f"pyproject.toml has no extra {missing}; it has {known}.", file=sys.stderr)  # noqa: T201
        return 2
    print("\n".join(lines))  # noqa: T201 - this is the command's own output
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

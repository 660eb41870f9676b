"""The verb `keys` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.security.callers import Permission

keys_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys of the gateway.")

File = Annotated[Path, typer.Option("--file", help="The keys file.")]
Name = Annotated[str, typer.Option(help="Whose key it is; several keys may have the same name.")]
Scopes = Annotated[
    list[Permission], typer.Option("--scope", help="What it is for; repeat for both. Neither includes the other.")
]
Expires = Annotated[
    str | None, typer.Option(metavar="90d|12h|DATE", help="When it ends: so many days or hours from now, or a date.")
]
Rate = Annotated[
    float | None, typer.Option(help="The most requests a second in the long run, for each gateway process.")
]
Burst = Annotated[int | None, typer.Option(help="The most requests at once under --rate.  [default: --rate]")]
InFlight = Annotated[int | None, typer.Option(help="The most requests in progress, for each gateway process.")]
Key = Annotated[str, typer.Argument(help="The id of a key, or a name that only one active key has.")]

_FILE = Path("keys.json")


@keys_app.command()
def create(
    name: Name,
    scope: Scopes,
    file: File = _FILE,
    expires: Expires = None,
    rate: Rate = None,
    burst: Burst = None,
    max_in_flight: InFlight = None,
) -> None:
    """Make a key and print it. It is printed this once: the file holds its hash only."""
    from graft.actions.keys import create_key

    create_key(file, name, scope, expires, rate_per_second=rate, burst=burst, max_in_flight=max_in_flight)


@keys_app.command("list")
def list_(file: File = _FILE) -> None:
    """Print a table of all keys, those too that were revoked or have expired."""
    from graft.actions.keys import list_keys

    list_keys(file)


@keys_app.command()
def revoke(key: Key, file: File = _FILE) -> None:
    """End a key now; running gateways refuse it within a second."""
    from graft.actions.keys import revoke_key

    revoke_key(file, key)

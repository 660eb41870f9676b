"""The verb `keys`: creates, lists and revokes the gateway's API keys."""

import contextlib
import fcntl
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contract.plain_text import plain_text
from contract.versions import staged_folder
from gateway.security.api_keys import KeysFile, StoredKey, new_key, read_keys
from gateway.security.callers import Permission
from gateway.security.rate_limits import Limits
from graft.errors import CommandError
from graft.tables import plain_table, print_line, wide_console

_COLUMNS = ("id", "name", "scopes", "state", "created", "expires", "per second", "burst", "in flight")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([dh])")
_UNITS = {"d": "days", "h": "hours"}
_MODE = 0o600


def create_key(file: Path, name: str, scopes: Iterable[Permission], expires: str | None, **limits: Any) -> None:
    """Add a key to `file`, which is created if needed, and print only the key on standard output.

    `limits` are fields of `gateway.security.api_keys.StoredKey`; None means no limit.

    Raises:
        CommandError: the name, the expiry or a limit is invalid, or the folder does not exist.
        ContractError: the file is not a keys file.
    """
    if limits.get("burst") is not None and limits.get("rate_per_second") is None:
        raise CommandError("--burst is the number of requests that may arrive at once under --rate; give both.")
    with _changing(file) as changed:
        try:
            key, stored = new_key(name, dict.fromkeys(scopes), expires=_moment(expires), **limits)
        except ValidationError as error:
            first = error.errors()[0]
            raise CommandError(f"The key's {first['loc'][0]} cannot be {first['input']!r}: {first['msg']}.") from error
        changed.append(stored)
    print(key)  # noqa: T201 - this is the command's own output
    until = f" until {stored.expires:%Y-%m-%d %H:%M} UTC" if stored.expires else ""
    _note(f"Key {stored.id} of {name} is in {file}{until}. It is shown only once; the file holds only a hash.")


def list_keys(file: Path) -> None:
    """Print a table of the keys in `file`.

    Raises:
        ContractError: there is no such file, or it is not a keys file.
    """
    now = datetime.now(UTC)
    rows = [_cells(key, now) for key in read_keys(file).keys]
    wide_console().print(plain_table(_COLUMNS, rows, to_the_right=_COLUMNS[-3:]))


def revoke_key(file: Path, wanted: str) -> None:
    """Mark the key with the id or name `wanted` as revoked.

    Raises:
        CommandError: there is no such key, it is not active, or several active keys have the name.
        ContractError: there is no such file, or it is not a keys file.
    """
    read_keys(file)  # the file must exist
    with _changing(file) as changed:
        now = datetime.now(UTC).replace(microsecond=0)
        found = _find(changed, wanted, now)
        changed[changed.index(found)] = found.model_copy(update={"revoked": now})
    print_line(
        wide_console(), f"Key {found.id} of {found.name} is revoked; running gateways reject it within a second."
    )


def _find(keys: list[StoredKey], wanted: str, now: datetime) -> StoredKey:
    by_id = [key for key in keys if key.id == wanted]
    named = [key for key in keys if key.name == wanted and key.state(now) == "active"]
    if by_id and by_id[0].revoked is not None:
        raise CommandError(f"The key {wanted} was already revoked, at {by_id[0].revoked:%Y-%m-%d %H:%M} UTC.")
    if not by_id and len(named) > 1:
        ids = ", ".join(key.id for key in named)
        raise CommandError(f"{len(named)} active keys are named {wanted}; choose one by its id: {ids}.")
    if not (found := by_id or named):
        raise CommandError(f"There is no active key {wanted}; `graft keys list` shows the keys.")
    return found[0]


@contextlib.contextmanager
def _changing(file: Path) -> Iterator[list[StoredKey]]:
    """Yield the file's keys to be changed; then write them atomically.

    Other changes wait for a lock meanwhile. The file's owner stays the same; its mode becomes 0600.
    """
    path = file.resolve()  # a link stays a link
    if not path.parent.is_dir():
        raise CommandError(f"There is no folder {file.parent} for the keys file.")
    with staged_folder(path.parent) as staged, _locked(path.parent):
        before = read_keys(path) if path.exists() else KeysFile()
        keys = list(before.keys)
        yield keys
        content = before.model_copy(update={"keys": tuple(keys)}).model_dump_json(indent=2, exclude_none=True)
        _replace(path, staged / path.name, content + "\n")


def _replace(path: Path, staged: Path, content: str) -> None:
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as new:
        new.write(content)
        new.flush()
        if os.geteuid() == 0 and path.exists():  # otherwise a gateway run by another user could no longer read it
            os.fchown(new.fileno(), path.stat().st_uid, path.stat().st_gid)
        os.fsync(new.fileno())
    staged.rename(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = datetime.now(UTC).replace(microsecond=0)
    if span := _SPAN.fullmatch(text):
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"--expires cannot be {text!r}; give days (90d), hours (12h) or a date (2030-01-31)."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= now:
        raise CommandError(f"--expires {text} is in the past.")
    return moment


def _cells(key: StoredKey, now: datetime) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        ", ".join(key.scopes),
        key.state(now),
        f"{key.created:%Y-%m-%d}",
        f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "never",
        *("any" if limit in {None, math.inf} else f"{limit:g}" for limit in _shown(key.limits or Limits())),
    )


def _shown(limits: Limits) -> tuple[float | None, ...]:
    return limits.rate_per_second, limits.bucket_size, limits.max_in_flight


def _note(text: str) -> None:
    print(plain_text(text), file=sys.stderr)  # noqa: T201 - this is the command's own output

"""`graft keys`: a key is made and shown once, listed without its secret, and revoked."""

import json
import os
import re
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import InvalidCredentialsError
from gateway.security.api_keys import Keyring, StoredKey, read_keys
from gateway.security.callers import Permission
from graft.actions.keys import create_key
from graft.cli import app
from tests.gateway.security.api_keys import public_id

KEY = re.compile(r"graft_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
DAY = timedelta(days=1)


def run(*arguments: str | Path) -> int:
    """Run `graft keys` in this process; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        app(["keys", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a keys file may come to be."""
    return tmp_path / "keys.json"


def create(file: Path, *arguments: str, name: str = "app") -> None:
    """Make a key."""
    assert run("create", "--name", name, "--scope", "predict", "--file", file, *arguments) == 0


def only(file: Path) -> StoredKey:
    """Return the file's one key."""
    [key] = read_keys(file).keys
    return key


def test_the_key_is_all_of_the_output(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds the key and nothing else, so that a script can take it; the file holds its hash."""
    create(file)
    out, err = capsys.readouterr()
    key = out.strip()
    assert KEY.fullmatch(key)
    assert Keyring(file).caller_of(key.encode(), time.time()).id == only(file).id == public_id(key)
    assert key.split("_", 2)[2] not in file.read_text() + err
    assert "shown only once" in err


def test_all_options_are_kept(file: Path) -> None:
    """Scopes, end and limits stand in the file."""
    limits = ("--rate", "2.5", "--burst", "10", "--max-in-flight", "4")
    create(file, "--scope", "operate", "--scope", "predict", "--expires", "90d", *limits)
    key = only(file)
    assert (key.name, key.scopes) == ("app", ("predict", "operate"))
    assert (key.rate_per_second, key.burst, key.max_in_flight) == (2.5, 10, 4)
    assert key.expires is not None
    assert key.expires - key.created == 90 * DAY


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("2999-12-31", datetime(2999, 12, 31, tzinfo=UTC)),
        ("2999-12-31T12:00:00+02:00", datetime(2999, 12, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_key_may_end_on_a_date(file: Path, text: str, expires: datetime) -> None:
    """A date is one in UTC unless it says otherwise."""
    create(file, "--expires", text)
    assert only(file).expires == expires


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--expires", "soon"), "give days (90d)"),
        (("--expires", "0d"), "give days (90d)"),
        (("--expires", "2001-01-01"), "is in the past"),
        (("--rate", "0"), "rate_per_second cannot be 0"),
        (("--rate", "nan"), "rate_per_second cannot be nan"),
        (("--burst", "5"), "give both"),
        (("--max-in-flight", "-1"), "max_in_flight cannot be -1"),
        (("--name", ""), "name cannot be ''"),
    ],
)
def test_what_does_not_fit_makes_no_key(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    """A bad option is one line and exit code 2, and the file is not touched."""
    assert run("create", "--name", "app", "--scope", "predict", "--file", file, *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err
    assert list(file.parent.iterdir()) == []


def test_an_unknown_scope_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scopes are predict and operate."""
    assert run("create", "--name", "app", "--scope", "admin", "--file", file) == 2
    assert "predict" in capsys.readouterr().err


def test_the_file_is_its_owners_only(file: Path) -> None:
    """The file has mode 0600 from its first moment, whatever the umask and whatever it had before."""
    before = os.umask(0)
    try:
        create(file)
        file.chmod(0o644)
        create(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(read_keys(file).keys) == 2


def test_the_file_is_replaced_in_one_step(file: Path) -> None:
    """A reader that has the old file open still reads all of it; nothing else is left in the folder."""
    create(file)
    with file.open() as old:
        create(file)
        assert len(json.load(old)["keys"]) == 1
    assert list(file.parent.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Where the file is a link, what it leads to is replaced."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "keys.json"
    link.symlink_to(tmp_path / "there" / "real.json")
    create(link)
    assert link.is_symlink()
    assert len(read_keys(tmp_path / "there" / "real.json").keys) == 1


def test_several_at_once_lose_no_key(file: Path) -> None:
    """Keys made at the same time all end up in the file."""
    makers = [threading.Thread(target=create_key, args=[file, "app", [Permission.PREDICT], None]) for _ in range(12)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(read_keys(file).keys) == 12


def test_the_list_shows_no_secret(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each key is a row with its id, name, scopes, state and limits; neither secret nor hash is there."""
    create(file, "--rate", "2.5", name="shop")
    create(file, "--expires", "1h", name="till")
    key = capsys.readouterr().out.split()[0]
    assert run("list", "--file", file) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"{public_id(key)} +shop +predict +active .*never +2\.5 +3 +any", shown)
    assert re.search(r"till +predict +active .*any +any +any", shown)
    assert key.split("_", 2)[2] not in shown
    assert not re.search("[0-9a-f]{64}", shown)


def test_a_key_is_revoked_by_id_or_by_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A revoked key stays in the list and opens nothing; a name will do where only one active key has it."""
    create(file)
    create(file)
    first, second = capsys.readouterr().out.split()
    assert run("revoke", "app", "--file", file) == 2
    assert f"{public_id(first)}, {public_id(second)}" in capsys.readouterr().err
    assert run("revoke", public_id(first), "--file", file) == 0
    assert run("revoke", "app", "--file", file) == 0
    assert [key.state(datetime.now(UTC)) for key in read_keys(file).keys] == ["revoked", "revoked"]
    with pytest.raises(InvalidCredentialsError, match="revoked"):
        Keyring(file).caller_of(first.encode(), time.time())
    capsys.readouterr()
    assert run("revoke", public_id(first), "--file", file) == 2
    assert "already revoked" in capsys.readouterr().err
    assert run("revoke", "nobody", "--file", file) == 2
    assert "no active key nobody" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["list"], ["revoke", "x"]])
def test_a_file_that_is_not_there_is_one_line(file: Path, capsys: pytest.CaptureFixture[str], verb: list[str]) -> None:
    """Without a keys file there is nothing to list or to revoke, and none is made."""
    assert run(*verb, "--file", file) == 2
    assert "`graft keys create` makes one" in capsys.readouterr().err
    assert not file.exists()


def test_a_broken_file_is_not_written_over(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no keys file stays as it is."""
    file.write_text("{")
    assert run("create", "--name", "app", "--scope", "predict", "--file", file) == 2
    assert "is broken" in capsys.readouterr().err
    assert file.read_text() == "{"


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A keys file is made, its folder is not."""
    assert run("create", "--name", "app", "--scope", "predict", "--file", tmp_path / "nowhere" / "keys.json") == 2
    assert "There is no folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""Keys files for tests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.security.api_keys import KeysFile, StoredKey, new_key
from gateway.security.callers import Permission

HOUR = timedelta(hours=1)


@dataclass
class Keys:
    """A keys file at `path`, written anew with each change as `graft keys` writes it: in one rename."""

    path: Path
    stored: list[StoredKey] = field(default_factory=list)

    def add(self, *permissions: str, name: str = "app", **fields: Any) -> str:
        """Add a key; return it."""
        key, stored = new_key(name, [Permission(each) for each in permissions or ("predict",)], **fields)
        self.stored.append(stored)
        self.write(KeysFile(keys=tuple(self.stored)).model_dump_json())
        return key

    def revoke(self, key: str) -> None:
        """Mark a key as revoked."""
        public = public_id(key)
        now = datetime.now(UTC)
        self.stored = [each.model_copy(update={"revoked": now}) if each.id == public else each for each in self.stored]
        self.write(KeysFile(keys=tuple(self.stored)).model_dump_json())

    def write(self, content: str) -> None:
        """Put `content` in place of the file's."""
        unfinished = self.path.with_name("unfinished")
        unfinished.write_text(content)
        unfinished.chmod(0o600)
        unfinished.rename(self.path)


def public_id(key: str) -> str:
    """Return the public part of a key."""
    return key.split("_")[1]


def bearer(credentials: str) -> dict[str, str]:
    """Return the header that presents a key or a token."""
    return {"Authorization": f"Bearer {credentials}"}

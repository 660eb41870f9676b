"""Configuration files that hold one protobuf message in text form."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from modelserver.errors import SettingError


def read_text_message(path: Path, kind: Any, what: str) -> Any:
    """Return the message of class `kind` that the file at `path` holds; `what` names the file's purpose in errors.

    Raises:
        SettingError: the file cannot be read, or is not such a message.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), kind())
    except OSError as error:
        raise SettingError(f"The {what} {path} cannot be read: {error.strerror}.") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is not a {kind.DESCRIPTOR.name} in text form: {error}") from error

"""Files for `--ssl_config_file`."""

from pathlib import Path


def ssl_config(path: Path, **fields: str | Path | bool) -> Path:
    """Write an SSLConfig; the content of files goes into it."""
    lines = []
    for name, value in fields.items():
        if isinstance(value, bool):
            lines.append(f"{name}: {str(value).lower()}")
        else:
            text = value.read_text() if isinstance(value, Path) else value
            escaped = text.replace("\n", "\\n")
            lines.append(f'{name}: "{escaped}"')
    path.write_text("\n".join(lines))
    return path

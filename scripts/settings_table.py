"""Print the table of the gateway's settings for docs/gateway.md; a test compares the two."""

from gateway.settings import Settings


def settings_table() -> str:
    """Return a Markdown table with a line for each setting: its name, default and description."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if field.is_required():
            default = "(needed)"
        elif field.default in {None, ()}:
            default = "(none)"
        else:
            default = f"`{field.default}`"
        lines.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(settings_table())

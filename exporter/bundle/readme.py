"""The bundle's README: how an app uses the files."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.tflite.records import MobileBundle, Variant, WrittenVariant

MEANINGS: Mapping[Variant, str] = {
    "float32": "the served model's answers, to the last digits",
    "float16": "the same answers in half the size; what GPUs compute with",
    "dynamic": "weights of 8 bits, arithmetic mostly in float32",
    "int8": "integers all through: under a third of the size and, on most phones, the quickest",
    "int16x8": "weights of 8 bits, activations of 16: slow, and rarely needed",
}

_PREFERRED: tuple[Variant, ...] = ("int8", "float16", "dynamic", "float32", "int16x8")


def render_readme(bundle: MobileBundle) -> str:
    """Return the README as Markdown, with the lines of Kotlin and Swift that use the bundle."""
    environment = Environment(
        loader=PackageLoader("exporter.bundle", "."),
        autoescape=False,  # noqa: S701 - Markdown, not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("readme.md.jinja")
    return template.render(bundle=bundle, chosen=recommended(bundle), meanings=MEANINGS)


def recommended(bundle: MobileBundle) -> WrittenVariant:
    """Return the file to begin with: the smallest that is quick, since all of them passed the same gate."""
    return min(bundle.written, key=lambda record: _PREFERRED.index(record.variant))

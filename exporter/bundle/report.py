"""The report of a mobile bundle: one self-contained page with the numbers of `bundle.json`."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.bundle.figure import PlottedVariant, draw_variants
from exporter.bundle.gate import LARGEST_DIFFERENCES, lost_at_most
from exporter.bundle.readme import MEANINGS, recommended
from exporter.bundle.resize_warning import SAME_PREDICTION_ON_PHONES
from exporter.tflite.records import MobileBundle
from trainer.evaluation.numbers_in_words import percent


def render_report(bundle: MobileBundle) -> str:
    """Return the page as HTML: no script, nothing fetched from elsewhere, the same bytes for the same bundle."""
    reference = bundle.saved_model
    lowest = (reference.right - lost_at_most(reference, bundle.max_accuracy_drop)) / reference.images
    rows = [PlottedVariant(record.variant, record.measured, written=True) for record in bundle.written]
    rows += [PlottedVariant(each.variant, each.measured, written=False) for each in bundle.refused if each.measured]
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            bundle=bundle,
            rows=rows,
            figure=draw_variants(rows, reference.share, lowest),
            lowest=lowest,
            lost=lost_at_most(reference, bundle.max_accuracy_drop),
            bounds=LARGEST_DIFFERENCES,
            same_on_phones=SAME_PREDICTION_ON_PHONES,
            chosen=recommended(bundle),
            meanings=MEANINGS,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("exporter.bundle", "."),
        autoescape=True,  # names of classes come from users
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "megabytes": lambda size: f"{size / 1e6:.2f}",
        "small": lambda value: f"{value:.1e}",
        "milliseconds": lambda value: f"{value:.2f}",
    }
    return environment

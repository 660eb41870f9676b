"""Names that stored fields had before they were renamed: what was written with them is still read.

A field whose name has one of the new words may have the old one in a file. What is written has the new name.
"""

from typing import Any

from pydantic import AliasChoices, AliasGenerator, ConfigDict

OLD_WORDS = {"image": "picture", "prediction": "answer", "predicted": "answered"}
"""The word that stored fields had, by the one that they have now."""


def spellings_of(field: str) -> AliasChoices:
    """Return the names by which a field is found in a file: its own, and the one it had."""
    old = field
    for new, before in OLD_WORDS.items():
        old = old.replace(new, before)
    return AliasChoices(field, old)


def metrics_with_current_names(metrics: Any) -> Any:
    """Return metrics in which every count of images has its present name, whatever it was called when written.

    A class may be called as the old name: its metrics are an object, not a number, and keep their name.
    """
    if not isinstance(metrics, dict):
        return metrics
    old = f"{OLD_WORDS['image']}s"
    return {
        "images" if name == old and isinstance(value, int) else name: metrics_with_current_names(value)
        for name, value in metrics.items()
    }


READS_OLD_NAMES = ConfigDict(alias_generator=AliasGenerator(validation_alias=spellings_of), validate_by_name=True)
"""For the `model_config` of a stored record, with what else it has there."""

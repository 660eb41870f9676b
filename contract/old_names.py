"""Names that stored fields had before they were renamed: what was written with them is still read.

A field whose name has one of the new words may have the old one in a file. What is written has the new name.
"""

from pydantic import AliasChoices, AliasGenerator, ConfigDict

OLD_WORDS = {"image": "picture", "prediction": "answer", "predicted": "answered"}
"""The word that stored fields had, by the one that they have now."""


def spellings_of(field: str) -> AliasChoices:
    """Return the names by which a field is found in a file: its own, and the one it had."""
    old = field
    for new, before in OLD_WORDS.items():
        old = old.replace(new, before)
    return AliasChoices(field, old)


READS_OLD_NAMES = ConfigDict(alias_generator=AliasGenerator(validation_alias=spellings_of), validate_by_name=True)
"""For the `model_config` of a stored record, with what else it has there."""

"""What callers record, and get back unchanged.

Digests are `sha256:` and 64 hex digits, as `contract.digests` makes them. Times need a time zone and are kept in UTC.
In free-form fields NaN and infinity become null, since JSON in databases cannot hold them.
"""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import from_json, to_json

from contract.digests import digest_of_bytes
from lineage.path_names import as_text

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
AnyPath = Annotated[Path, PlainSerializer(as_text)]
AnyRelativePath = Annotated[PurePosixPath, PlainSerializer(as_text)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]
PlainJson = Annotated[Any, BeforeValidator(lambda value: from_json(to_json(value, inf_nan_mode="null")))]
JsonObject = Annotated[dict[str, Any], BeforeValidator(lambda value: from_json(to_json(value, inf_nan_mode="null")))]


class Record(BaseModel):
    """The root of all records: they never change, and have a digest of their content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def content_digest(self) -> str:
        """Return a digest that is the same for the same content.

        Fields at their defaults do not count, so that a field added later leaves the digests of old records alone.
        """
        content = json.loads(self.model_dump_json(exclude_defaults=True, by_alias=True))
        return digest_of_bytes(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


class ImageRecord(Record):
    """One image of a data set; `path` is relative to the folder, with `/`."""

    split: str
    label: str
    path: AnyRelativePath
    digest: Digest


class DataSetRecord(Record):
    """A data set as a run found it in `folder`.

    `counts` are images by split and class. With `images`, `graft lineage verify` can name the image that changed;
    without, it cannot check the data set.
    """

    digest: Digest
    folder: AnyPath
    counts: dict[str, dict[str, int]]
    images: tuple[ImageRecord, ...] = Field((), serialization_alias="pictures")
    """Its alias is the name under which the digests of records have known it from the beginning."""

    @classmethod
    def of_images(cls, digest: str, folder: Path, images: Iterable[ImageRecord]) -> Self:
        """Make the record of these images, counted; `digest` is the trainer's, over all of them."""
        kept = tuple(sorted(images, key=lambda image: image.path))
        counted = Counter((image.split, image.label) for image in kept)
        counts: dict[str, dict[str, int]] = {}
        for (split, label), number in sorted(counted.items()):
            counts.setdefault(split, {})[label] = number
        return cls(digest=digest, folder=folder, counts=counts, images=kept)


class BaseRecord(Record):
    """What a model was fine-tuned from: the network, where its weights came from, and the digest of their tensors."""

    architecture: str
    source: str = Field(description='"imagenet", "none", a file name, or "run:" and the id of a run.')
    digest: Digest | None = Field(description="None where there were no weights.")


class TrainingRunRecord(Record):
    """A finished training run and its model, which is `model_file` in `folder`."""

    id: str = Field(min_length=1)
    name: str
    started: UtcTime
    ended: UtcTime
    folder: AnyPath
    configuration: JsonObject
    code_version: str
    environment: JsonObject
    metrics: JsonObject
    gates: JsonObject = Field(description="The result of each gate of the training.")
    model_digest: Digest = Field(description="Of the bytes of the model's file.")
    weights_digest: Digest = Field(description="Over the model's tensors, however they are stored.")
    data_set: DataSetRecord
    base: BaseRecord
    parent_run: str | None = Field(None, description="The id of the run that the base was taken from.")
    model_file: str = "model.keras"


class ExportRecord(Record):
    """A published version of a model: `folder` is models/NAME/VERSION, `files` its files' digests by relative name."""

    name: str
    version: int = Field(gt=0)
    folder: AnyPath
    digest: Digest = Field(description="As the manifest states it.")
    manifest_digest: Digest = Field(description="Of the bytes of the manifest.")
    files: dict[str, Digest] = Field(min_length=1)
    parity: Annotated[list[dict[str, Any]], PlainJson] = Field(description="The comparisons with the trained model.")
    run_id: str


class LiteFileRecord(Record):
    """A TFLite file made from a published version."""

    file: AnyPath
    variant: str
    digest: Digest
    parity: Annotated[list[dict[str, Any]], PlainJson]


class PublicationRecord(Record):
    """Who made a version visible, when and why."""

    who: str
    when: UtcTime
    why: str = ""


class WithdrawalRecord(Record):
    """Who withdrew a version, when and why."""

    who: str
    when: UtcTime
    why: str = Field(min_length=1)

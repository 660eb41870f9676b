"""Everything a reader needs to know about one published version."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contract.errors import ContractError
from contract.image_input import Encoding, ImageInput
from contract.old_names import metrics_with_current_names
from contract.reference import ReferenceDistributions

SCHEMA_VERSION = "2.1"
_KNOWN_MAJORS = ("1", "2")


class SignatureTensor(BaseModel):
    """A named tensor of a signature. `shape` has None where any size fits."""

    model_config = ConfigDict(frozen=True)

    dtype: str
    shape: tuple[int | None, ...]


class SignatureSpec(BaseModel):
    """The named inputs and outputs of one signature."""

    model_config = ConfigDict(frozen=True)

    inputs: dict[str, SignatureTensor]
    outputs: dict[str, SignatureTensor]


class BaseWeights(BaseModel):
    """The pretrained weights that a model was fine-tuned from."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description='"imagenet", "none", the file name, or "run:" and the id of a run.')
    digest: str | None = Field(description="sha256 of the base's tensors; None where there were none.")


class ServedGraph(BaseModel):
    """What was done to the trained network to make it fast; its predictions differ by rounding alone."""

    model_config = ConfigDict(frozen=True)

    batch_norms_folded: int = Field(ge=0, description="BatchNorm layers that became part of a convolution.")
    batch_norms_kept: int = Field(ge=0, description="Those that no convolution precedes, or that were left on purpose.")
    paddings_merged: int = Field(ge=0, description="Zero paddings that became part of a convolution.")
    frozen: bool = Field(description="Whether the variables are constants of the graph.")

    def in_words(self) -> str:
        """Return a summary in one line."""
        norms = self.batch_norms_folded + self.batch_norms_kept
        return (
            f"{self.batch_norms_folded} of {norms} BatchNorm layers and {self.paddings_merged} paddings folded into "
            f"convolutions, variables {'frozen into constants' if self.frozen else 'kept'}"
        )


class ServingTarget(BaseModel):
    """The oldest model server that a version was exported for."""

    model_config = ConfigDict(frozen=True)

    server: str = Field(min_length=1, description='Its name and version, such as "TensorFlow Serving 2.18".')
    encodings: tuple[Encoding, ...] = Field(description="File types that it decodes.")


class PixelProof(BaseModel):
    """What the served graph makes of images, and whether Graft's decoder without TensorFlow makes the same of them."""

    model_config = ConfigDict(frozen=True)

    rules: int = Field(gt=0, description="The version of the rules by which that decoder read them.")
    fixtures: dict[str, str | None] = Field(
        description="sha256 of the pixels, uint8 [height, width, 3], that the graph makes of each fixture, or refused."
    )
    images: int = Field(ge=0, description="Images of fixtures and data set whose pixels were compared bit for bit.")
    different: int = Field(ge=0, description="Those of them of which the decoder made something else.")
    left_to_graph: int = Field(ge=0, description="Images of kinds that the decoder leaves to the graph, not compared.")

    @property
    def holds(self) -> bool:
        """Whether images were compared, and none differed."""
        return self.images > 0 and self.different == 0

    def in_words(self) -> str:
        """Return a summary in one line."""
        left = f", {self.left_to_graph} left to TensorFlow" if self.left_to_graph else ""
        return (
            f"{self.images - self.different} of {self.images} images decoded to the same bits without TensorFlow{left}"
        )


class ModelManifest(BaseModel):
    """The identity, the inputs and outputs, and the origin of one published version.

    Unknown fields are kept, so that a newer minor version of the schema can be read and copied.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: str = SCHEMA_VERSION
    name: str
    version: int = Field(gt=0)
    created: datetime = Field(description="When the run that made the model ended, UTC.")
    labels: tuple[str, ...] = Field(min_length=2, description="Class names, in the order of the outputs.")
    image_input: ImageInput
    signatures: dict[str, SignatureSpec]
    architecture: str
    base_weights: BaseWeights
    dataset_digest: str
    code_version: str
    training_configuration: dict[str, Any]
    metrics: Annotated[dict[str, Any], BeforeValidator(metrics_with_current_names)]
    temperature: float = Field(
        1.0, gt=0, description="Divides the logits, so that probabilities are calibrated; the graph does it already."
    )
    reference: ReferenceDistributions | None = Field(None, description="Of predictions and images on held-out data.")
    served_graph: ServedGraph | None = Field(None, description="None in versions made before it was recorded.")
    target: ServingTarget | None = Field(
        None, exclude_if=lambda target: target is None, description="Not there in versions made before it was recorded."
    )
    exif_encodings: tuple[Encoding, ...] = Field(
        ("jpeg",),
        description="File types whose EXIF orientation the graph applies, wherever it stands in the file; versions "
        "made before this was recorded look at a JPEG's first 4 KiB.",
        exclude_if=lambda encodings: encodings == ("jpeg",),
    )
    jpeg_without_end: bool = Field(
        False,
        description="Whether the graph decodes a JPEG that lacks nothing but its end marker; not in versions made "
        "before this was recorded.",
        exclude_if=lambda decodes: not decodes,
    )
    pixels: PixelProof | None = Field(
        None,
        description="What the graph makes of images; not there where they were not compared, or before that was done.",
        exclude_if=lambda pixels: pixels is None,
    )
    run: str = Field(description="The id of the training run, which is also its name in the lineage.")
    digest: str = Field(description="Over graph, variables and assets; not over this manifest.")

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """File types that may be sent to a server of this version, in the order of `image_input`."""
        wanted = self.image_input.encodings
        return wanted if self.target is None else tuple(each for each in wanted if each in self.target.encodings)

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str) -> Self:
        """Read a manifest; `where` is the origin of the text, for error messages.

        Raises:
            ContractError: the text is not a manifest, or has a schema that this code does not know.
        """
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ContractError(f"{where} is not a model manifest: {field}: {first['msg']}.") from error
        major = manifest.schema_version.split(".", maxsplit=1)[0]
        if major not in _KNOWN_MAJORS:
            raise ContractError(
                f"{where} has manifest schema {manifest.schema_version}; this version of Graft reads "
                f"{'.x and '.join(_KNOWN_MAJORS)}.x. Update Graft, or export the model again."
            )
        return manifest

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the manifest file at `path`.

        Raises:
            ContractError: it cannot be read, or is not a manifest.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ContractError(f"No model manifest can be read at {path}: {error.strerror}.") from error
        return cls.from_json(text, where=str(path))

    def to_json(self) -> str:
        """Return the manifest as indented JSON, with the same bytes for the same values."""
        return self.model_dump_json(indent=2) + "\n"

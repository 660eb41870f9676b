"""What a mobile bundle says of itself: `bundle.json`. Read without TensorFlow."""

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import ContractError
from contract.image_input import ImageInput
from contract.old_names import READS_OLD_NAMES

BUNDLE_FILE, LABELS_FILE, README_FILE, REPORT_FILE, GOLDEN = (
    "bundle.json",
    "labels.txt",
    "README.md",
    "report.html",
    "golden",
)
SCHEMA_VERSION = "2.0"
_KNOWN_MAJORS = ("1", "2")

Requested = Literal["float32", "float16", "dynamic", "int8"]
REQUESTED: tuple[Requested, ...] = get_args(Requested)

Variant = Literal[Requested, "int16x8"]
"""`int16x8` (activations of 16 bits, weights of 8) is only tried where `int8` is refused."""


class _BundleRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", **READS_OLD_NAMES)


class Quantization(_BundleRecord):
    """A stored value stands for `(value - zero_point) * scale`."""

    scale: float
    zero_point: int


class LiteTensor(_BundleRecord):
    """The input or the output of a TFLite file; no quantization where its values are meant as they are."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization | None = None


class Accuracy(_BundleRecord):
    """The share of test images that were recognised, with its 95 % interval (Wilson's)."""

    right: int
    images: int
    share: float
    interval: tuple[float, float]


class ClassRecall(_BundleRecord):
    """The share of a class's test images that were recognised."""

    label: str
    images: int
    recall: float


class PhoneResize(_BundleRecord):
    """The same file on the same images, stretched as MediaPipe does it instead of by our preprocessing."""

    same_prediction: float = Field(description="The share of images that keep their most probable class.")
    accuracy: Accuracy


class Measurement(_BundleRecord):
    """How one file did on the test images, against the SavedModel on the same pixels."""

    accuracy: Accuracy
    worst_class: ClassRecall
    same_prediction: float = Field(description="The share of images with the SavedModel's most probable class.")
    same_prediction_where_clear: float = Field(
        description="The same, of the images where the SavedModel's first two classes are further apart than the "
        "bound on differences; 1 where there are none."
    )
    largest_difference: float = Field(description="Of any probability of any image.")
    latency_ms: dict[int, float] = Field(description="Median of one image, by number of threads.")
    file_bytes: int


class WrittenVariant(_BundleRecord):
    """A file of the bundle."""

    variant: Variant
    file: str
    digest: str
    input: LiteTensor
    output: LiteTensor
    measured: Measurement
    phone_resize: PhoneResize
    instead_of: Variant | None = Field(None, description="The refused variant in whose place this one was written.")


class RefusedVariant(_BundleRecord):
    """A variant that was asked for or tried, and is not in the bundle."""

    variant: Variant
    reason: str
    measured: Measurement | None = Field(None, description="None where there was no file to measure.")
    tried_for: Variant | None = Field(None, description="The refused variant in whose place it was tried.")
    tried_next: tuple[str, ...] = Field((), description="What was tried in its place, a sentence each.")


class Source(_BundleRecord):
    """The published version that the files were made from."""

    name: str
    version: int
    digest: str
    manifest_digest: str = Field(description="Of the bytes of its manifest.")
    run: str
    lineage_id: int | None = Field(description="Of the version; None where it is not in the lineage.")


class MobileBundle(_BundleRecord):
    """Everything that is known about a bundle. `files` are the digests of its other files, by relative name."""

    schema_version: str = SCHEMA_VERSION
    source: Source
    labels: tuple[str, ...]
    image_input: ImageInput = Field(description="What happens between an image and the network; see `in_the_app`.")
    in_the_app: tuple[str, ...] = Field(description="The steps of it that are not inside the files.")
    representative_images: int = Field(description="Training images that the quantized variants were fitted to.")
    max_accuracy_drop: float
    saved_model: Accuracy
    written: tuple[WrittenVariant, ...]
    refused: tuple[RefusedVariant, ...]
    warnings: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    code_version: str
    environment: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what the bundle in `folder` says of itself.

        Raises:
            ContractError: there is no bundle, or its schema is not known.
        """
        file = folder / BUNDLE_FILE
        try:
            bundle = cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise ContractError(f"No mobile bundle can be read at {folder}: {error.strerror}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ContractError(f"{file} describes no mobile bundle: {field}: {first['msg']}.") from error
        if bundle.schema_version.split(".", maxsplit=1)[0] not in _KNOWN_MAJORS:
            raise ContractError(
                f"{file} has schema {bundle.schema_version}; this version of Graft reads "
                f"{'.x and '.join(_KNOWN_MAJORS)}.x. "
                "Update Graft, or make the bundle again."
            )
        return bundle

    def to_json(self) -> str:
        """Return the record as indented JSON."""
        return self.model_dump_json(indent=2) + "\n"

"""A published version in this process: from images to labels, by the version's own signature."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.manifest import ModelManifest
from contract.publish import read_version
from contract.versions import published_versions
from graft.errors import ImageRefusedError
from trainer.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from exporter.saved_model.loading import LoadedVersion

Image = str | Path | bytes
"""The path of an image file, or the bytes of one."""


@dataclass(frozen=True)
class Classified:
    """What a version made of one image: the likeliest label, its probability, and those of all labels, best first."""

    label: str
    probability: float
    probabilities: Mapping[str, float]


class ImageClassifier:
    """A version loaded with TensorFlow. It decodes and resizes as in training, and needs no running service."""

    def __init__(self, folder: Path, manifest: ModelManifest, version: "LoadedVersion") -> None:
        self.folder = folder
        self.manifest = manifest
        self._version = version

    def __repr__(self) -> str:
        return f"<{self.manifest.name} version {self.manifest.version} of {self.folder}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return self.manifest.labels

    def predict(self, image: Image) -> Classified:
        """Classify one image.

        Raises:
            ImageRefusedError: the file cannot be read, or is not an image that the version takes.
        """
        (found,) = self.predict_many([image])
        if found is None:
            name = "These bytes are" if isinstance(image, bytes) else f"{image} is"
            raise ImageRefusedError(
                f"{name} not an image that the model takes: another format, damaged, or of more than "
                f"{self.manifest.image_input.max_pixels} pixels."
            )
        return found

    def predict_many(self, images: Iterable[Image]) -> list[Classified | None]:
        """Classify images, eight at a time; None stands where the version refuses one, which hurts no other.

        Raises:
            ImageRefusedError: a file cannot be read.
        """
        contents = [_content(image) for image in images]
        if not contents:
            return []
        found = self._version.predict(contents)
        rows = zip(found.labels, found.probabilities.tolist(), strict=True)
        return [self._classified(row) if label else None for label, row in rows]

    def _classified(self, probabilities: list[float]) -> Classified:
        pairs = zip(self.labels, probabilities, strict=True)
        best_first = dict(sorted(pairs, key=lambda pair: pair[1], reverse=True))  # stable: ties as in the graph
        label = next(iter(best_first))
        return Classified(label, best_first[label], best_first)


def load(path: str | Path) -> ImageClassifier:
    """Load a version, `models/flowers/1`, or the newest of a model, `models/flowers`; its files are checked first.

    Raises:
        ContractError: there is no version, or its files were changed.
    """
    folder = Path(path)
    if published := published_versions(folder):
        folder /= str(published[-1])
    manifest = read_version(folder)
    start_tensorflow()
    from exporter.saved_model.loading import LoadedVersion  # takes seconds, which a misspelled path should not cost

    return ImageClassifier(folder, manifest, LoadedVersion(folder))


def _content(image: Image) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise ImageRefusedError(f"The image {image} cannot be read: {error.strerror}.") from error

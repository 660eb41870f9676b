"""From pictures to labelled answers, whatever dialect asked."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from contract.image_input import ImageInput
from gateway.errors import ModelServerFailedError, PictureError, UndecodableImageError
from gateway.image_guard import check_picture
from gateway.model_client import ModelClient, Scores
from gateway.model_versions import ModelVersions


@dataclass(frozen=True)
class Picture:
    """One encoded picture, and its file name where it had one."""

    content: bytes
    name: str | None = None


@dataclass(frozen=True)
class Question:
    """Which model to ask, in which version (None: its latest), for how many of the likeliest labels."""

    model: str
    version: int | None
    top_k: int


@dataclass(frozen=True)
class LabelProbability:
    """One label and how likely it is, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest labels of one picture, the likeliest first; at least one."""

    top: tuple[LabelProbability, ...]


@dataclass(frozen=True)
class Refusal:
    """Why one picture has no prediction."""

    reason: PictureError
    name: str | None


@dataclass(frozen=True)
class Answer:
    """What one version of a model says, an entry per picture, in the order sent."""

    model: str
    version: int
    digest: str
    entries: tuple[Prediction | Refusal, ...]


async def predict(
    pictures: Sequence[Picture], question: Question, versions: ModelVersions, client: ModelClient
) -> Answer:
    """Answer a question about pictures, at least one.

    A picture that is refused becomes a `Refusal` in its place; the others are answered all the same.

    Raises:
        ModelError: the model or the version is not there.
        ModelServerError: the model server did not answer.
    """
    version = question.version if question.version is not None else versions.latest(question.model)
    manifest = await versions.manifest(question.model, version)
    refusals = [_guard(picture, manifest.image_input) for picture in pictures]
    accepted = [picture for picture, refusal in zip(pictures, refusals, strict=True) if refusal is None]
    if not accepted:
        return Answer(question.model, version, manifest.digest, tuple(filter(None, refusals)))

    scores = await client.predict(question.model, question.version, [picture.content for picture in accepted])
    if scores.version != version:  # swapped in between; else what is at hand holds, though it may be gone by now
        manifest = await versions.manifest(question.model, scores.version)
    labelled = iter(_label(accepted, scores, manifest.labels, manifest.image_input, question.top_k))

    entries = tuple(refusal or next(labelled) for refusal in refusals)
    return Answer(question.model, scores.version, manifest.digest, entries)


def _guard(picture: Picture, image_input: ImageInput) -> Refusal | None:
    try:
        check_picture(picture.content, image_input.encodings)
    except PictureError as reason:
        return Refusal(reason, picture.name)
    return None


def _label(
    pictures: Sequence[Picture], scores: Scores, labels: Sequence[str], image_input: ImageInput, top_k: int
) -> list[Prediction | Refusal]:
    if len(scores.probabilities[0]) != len(labels):
        raise ModelServerFailedError("The model's answer does not have one probability for each of its labels.")
    undecodable = UndecodableImageError(
        f"The picture cannot be decoded: it is damaged or has more than {image_input.max_pixels} pixels."
    )
    return [
        _likeliest(row, labels, top_k) if valid else Refusal(undecodable, picture.name)
        for picture, row, valid in zip(pictures, scores.probabilities, scores.valid, strict=True)
    ]


def _likeliest(probabilities: Sequence[float], labels: Sequence[str], top_k: int) -> Prediction:
    best = heapq.nlargest(top_k, range(len(labels)), key=probabilities.__getitem__)
    return Prediction(tuple(LabelProbability(labels[index], probabilities[index]) for index in best))

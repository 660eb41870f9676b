"""From pictures to labelled answers, whatever dialect asked."""

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contract.image_input import ImageInput
from contract.manifest import ModelManifest
from gateway.deadline import Deadline
from gateway.errors import (
    ModelNotLoadedError,
    ModelServerFailedError,
    ModelServerTimeoutError,
    PictureError,
    QuestionRefusedError,
    UndecodableImageError,
    VersionNotServedError,
)
from gateway.image_guard import check_picture
from gateway.model_client import PREDICT, fill_spec
from gateway.model_versions import ModelVersions
from gateway.scores import Scores, pictures_request, read_scores
from gateway.services import Services


@dataclass(frozen=True)
class Picture:
    """One encoded picture, and its file name where it had one."""

    content: bytes
    name: str | None = None


@dataclass(frozen=True)
class UnreadablePicture:
    """What was sent in a picture's place and is none, and why."""

    reason: PictureError
    name: str | None = None


@dataclass(frozen=True)
class Question:
    """Which model to ask, in which version or under which label (both None: its latest), for how many labels."""

    model: str
    version: int | None
    label: str | None
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
    pictures: Sequence[Picture | UnreadablePicture], question: Question, services: Services, deadline: Deadline
) -> Answer:
    """Answer a question about pictures, at least one.

    A picture that is refused becomes a `Refusal` in its place; the others are answered all the same.

    Raises:
        ModelError: the model or the version is not there, or does not describe itself.
        ModelServerError: the model server did not answer.
        BusyError: it was not asked.
    """
    version = services.versions.version_for(question.model, question.version)
    manifest = await manifest_of(question.model, version, services.versions, deadline)
    refusals = [_guard(picture, manifest.image_input) for picture in pictures]
    accepted = [
        picture
        for picture, refusal in zip(pictures, refusals, strict=True)
        if refusal is None and isinstance(picture, Picture)
    ]
    if not accepted:
        return Answer(question.model, version, manifest.digest, tuple(filter(None, refusals)))

    scores = await _ask_about(accepted, question, services, deadline)
    if scores.version != version:  # swapped in between, or chosen by label; else what is at hand holds
        manifest = await manifest_of(question.model, scores.version, services.versions, deadline)
    labelled = iter(_label(accepted, scores, manifest.labels, manifest.image_input, question.top_k))

    entries = tuple(refusal or next(labelled) for refusal in refusals)
    return Answer(question.model, scores.version, manifest.digest, entries)


async def manifest_of(model: str, version: int, versions: ModelVersions, deadline: Deadline) -> ModelManifest:
    """Return a version's manifest, asked of the model server the first time.

    Raises:
        ModelError: the version is not there, or does not describe itself.
        ModelServerError: the model server did not answer in time.
    """
    known = versions.described(model, version)
    if known is not None:
        return known
    try:
        async with asyncio.timeout(deadline.remaining()):
            return await versions.manifest(model, version)
    except TimeoutError:
        raise ModelServerTimeoutError("The model server did not describe the model in time.") from None


async def ask(method: str, message: Any, services: Services, deadline: Deadline) -> Any:
    """Return the model server's answer to a request message whose `model_spec` names a configured model.

    Every dialect's way to the model server: a slot, an intact circuit, a deadline.

    Raises:
        ModelServerError: the model server did not answer.
        ModelError: it has no such version.
        BusyError: it was not asked.
    """
    circuit = services.circuits.of(message.model_spec.name)
    async with services.admission.slot(deadline):
        with circuit.guarded(counts=deadline.own):
            return await services.client.call(method, message, deadline)


async def _ask_about(pictures: Sequence[Picture], question: Question, services: Services, deadline: Deadline) -> Scores:
    request = pictures_request([picture.content for picture in pictures])
    fill_spec(request.model_spec, question.model, question.version, question.label, "serving_default")
    try:
        response = await ask(PREDICT, request, services, deadline)
    except (ModelNotLoadedError, QuestionRefusedError) as error:
        if question.label is None:
            raise
        raise VersionNotServedError(
            f"The model {question.model} has no version with the label {question.label[:100]!r}."
        ) from error
    return read_scores(response, len(pictures))


def _guard(picture: Picture | UnreadablePicture, image_input: ImageInput) -> Refusal | None:
    if isinstance(picture, UnreadablePicture):
        return Refusal(picture.reason, picture.name)
    try:
        check_picture(picture.content, image_input.encodings, image_input.max_pixels)
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

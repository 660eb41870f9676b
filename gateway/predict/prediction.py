"""From pictures to labelled answers, whatever dialect asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from contract.image_input import ImageInput
from contract.manifest import ModelManifest
from gateway.backend.model_client import PREDICT, STATUS, fill_spec
from gateway.backend.model_versions import ModelVersions
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
from gateway.observability.observation import GUARD, LABEL, MODEL_SERVER, Stage, observed
from gateway.observability.predicted_image import AnsweredPicture
from gateway.predict.image_guard import check_picture
from gateway.predict.largest import largest
from gateway.predict.scores import Scores, pictures_request, read_scores
from gateway.predict.services import Services


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


class LabelProbability(NamedTuple):
    """One label and how likely it is, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest labels of one picture, the likeliest first; at least one. `index` is the class of the likeliest."""

    top: tuple[LabelProbability, ...]
    index: int


@dataclass(frozen=True)
class Refusal:
    """Why one picture has no prediction."""

    reason: PictureError
    name: str | None


class _Accepted(NamedTuple):
    """One picture that the model server is asked about; `pixels` is None where its header does not tell."""

    picture: Picture
    pixels: int | None


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
    with Stage(GUARD):
        guarded = [_guard(picture, manifest.image_input) for picture in pictures]
    accepted = [each for each in guarded if isinstance(each, _Accepted)]
    if not accepted:
        refusals = tuple(each for each in guarded if isinstance(each, Refusal))
        return Answer(question.model, version, manifest.digest, refusals)

    response = await _ask_about([each.picture for each in accepted], question, services, deadline)
    with Stage(LABEL):
        scores = read_scores(response, len(accepted))
        if scores.version != version:  # swapped in between, or chosen by label; else what is at hand holds
            manifest = await manifest_of(question.model, scores.version, services.versions, deadline)
        labelled = _label(accepted, scores, manifest.labels, manifest.image_input, question.top_k)
    _note(accepted, labelled, scores, question.model, manifest, services)

    following = iter(labelled)
    entries = tuple(each if isinstance(each, Refusal) else next(following) for each in guarded)
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
        with circuit.guarded(counts=deadline.own), Stage(MODEL_SERVER):
            response = await services.client.call(method, message, deadline)
    observation = observed()
    if observation is not None and method != STATUS:
        observation.version = response.model_spec.version.value
    return response


async def _ask_about(pictures: Sequence[Picture], question: Question, services: Services, deadline: Deadline) -> Any:
    request = pictures_request([picture.content for picture in pictures])
    fill_spec(request.model_spec, question.model, question.version, question.label, "serving_default")
    try:
        return await ask(PREDICT, request, services, deadline)
    except (ModelNotLoadedError, QuestionRefusedError) as error:
        if question.label is None:
            raise
        raise VersionNotServedError(
            f"The model {question.model} has no version with the label {question.label[:100]!r}."
        ) from error


def _guard(picture: Picture | UnreadablePicture, image_input: ImageInput) -> Refusal | _Accepted:
    if isinstance(picture, UnreadablePicture):
        return Refusal(picture.reason, picture.name)
    try:
        head = check_picture(picture.content, image_input.encodings, image_input.max_pixels)
    except PictureError as reason:
        return Refusal(reason, picture.name)
    return _Accepted(picture, head.pixels)


def _label(
    accepted: Sequence[_Accepted], scores: Scores, labels: Sequence[str], image_input: ImageInput, top_k: int
) -> list[Prediction | Refusal]:
    if len(scores.probabilities[0]) != len(labels):
        raise ModelServerFailedError("The model's answer does not have one probability for each of its labels.")
    undecodable = UndecodableImageError(
        f"The picture cannot be decoded: it is damaged or has more than {image_input.max_pixels} pixels."
    )
    return [
        _likeliest(row, labels, top_k) if valid else Refusal(undecodable, each.picture.name)
        for each, row, valid in zip(accepted, scores.probabilities, scores.valid, strict=True)
    ]


def _likeliest(probabilities: Sequence[float], labels: Sequence[str], top_k: int) -> Prediction:
    best = largest(probabilities, top_k)
    return Prediction(tuple([LabelProbability(labels[index], probabilities[index]) for index in best]), best[0])


def _note(
    accepted: Sequence[_Accepted],
    labelled: Sequence[Prediction | Refusal],
    scores: Scores,
    model: str,
    manifest: ModelManifest,
    services: Services,
) -> None:
    """Tell those who count what was answered about each picture."""
    brightness = scores.brightness or (None,) * len(accepted)
    for each, entry, mean in zip(accepted, labelled, brightness, strict=True):
        if isinstance(entry, Prediction):
            likeliest = entry.top[0]
            answered = AnsweredPicture(
                model,
                scores.version,
                entry.index,
                likeliest.label,
                likeliest.probability,
                len(each.picture.content),
                each.pixels,
                mean,
            )
            services.metrics.pictures.note(answered)
            services.drift.observe(answered, manifest)

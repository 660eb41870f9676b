"""Labelled predictions for images."""

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contract.image_cost.limits import ALWAYS_CHEAP_PNG_BYTES
from contract.manifest import ModelManifest
from gateway.backend.model_client import PREDICT, fill_spec
from gateway.errors import (
    ImageError,
    ModelNotLoadedError,
    ModelServerFailedError,
    RequestRejectedError,
    TooManyPixelsError,
    UndecodableImageError,
    VersionNotServedError,
)
from gateway.observability.observation import GUARD, LABEL
from gateway.observability.predicted_image import PredictedImage
from gateway.predict.calls import call_model_server, manifest_of
from gateway.predict.image_guard import ImageHead, check_image, cut_short
from gateway.predict.images_request import ImagesRequest
from gateway.predict.model_signatures import DEFAULT_SIGNATURE
from gateway.predict.request_context import RequestContext
from gateway.predict.scores import Scores, read_scores
from gateway.predict.services import Services
from gateway.predict.tensor_check import check_tensors, declared_signature

_SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class EncodedImage:
    """One encoded image, and its file name if it had one."""

    content: bytes
    name: str | None = None


@dataclass(frozen=True)
class UnreadableImage:
    """An entry that is not an image, and the reason."""

    reason: ImageError
    name: str | None = None


@dataclass(frozen=True)
class PredictRequest:
    """The model, its version or version label (both None: the latest), and how many labels to return."""

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
    """The most likely labels of one image in order, at least one. `index` is the class index of the first."""

    top: tuple[LabelProbability, ...]
    index: int


@dataclass(frozen=True)
class Rejection:
    """Why one image has no prediction."""

    reason: ImageError
    name: str | None


class _Accepted(NamedTuple):
    """One image to send to the model server, and what its header says."""

    image: EncodedImage
    head: ImageHead


@dataclass(frozen=True)
class ImagePredictions:
    """The predictions of one version of a model: an entry for each image, in the order sent."""

    model: str
    version: int
    digest: str
    entries: tuple[Prediction | Rejection, ...]


async def predict(
    images: Sequence[EncodedImage | UnreadableImage], wanted: PredictRequest, context: RequestContext
) -> ImagePredictions:
    """Return predictions for images, at least one.

    The entry of a rejected image is a `Rejection`; the others still get predictions.

    Raises:
        ModelError: the model or the version is not available, or has no manifest.
        BadTensorError: by its manifest, the model does not take encoded images.
        ModelServerError: the call failed.
        BusyError: it was not called.
    """
    version = context.services.versions.version_for(wanted.model, wanted.version)
    manifest = await manifest_of(wanted.model, version, context)
    with context.stage(GUARD):
        guarded = await _guard_all(images, manifest, context.services.settings.max_request_pixels)
    accepted = [each for each in guarded if isinstance(each, _Accepted)]
    if not accepted:
        rejections = tuple(each for each in guarded if isinstance(each, Rejection))
        return ImagePredictions(wanted.model, version, manifest.digest, rejections)

    try:
        response = await call_model_server(PREDICT, _checked_request(accepted, wanted, manifest), context)
    except (ModelNotLoadedError, RequestRejectedError) as error:
        if wanted.label is None:
            raise
        raise _no_such_label(wanted.model, wanted.label) from error
    with context.stage(LABEL):
        scores = read_scores(response, len(accepted))
        if scores.version != version:  # the version was swapped meanwhile, or selected by label
            manifest = await manifest_of(wanted.model, scores.version, context)
        labelled = _label(accepted, scores, manifest.labels, wanted.top_k)
    _note(accepted, labelled, scores, wanted.model, manifest, context.services)

    following = iter(labelled)
    entries = tuple(each if isinstance(each, Rejection) else next(following) for each in guarded)
    return ImagePredictions(wanted.model, scores.version, manifest.digest, entries)


def _checked_request(accepted: Sequence[_Accepted], wanted: PredictRequest, manifest: ModelManifest) -> ImagesRequest:
    request = ImagesRequest([each.image.content for each in accepted])
    if declared := declared_signature(manifest, DEFAULT_SIGNATURE):
        check_tensors(request.message.inputs, declared)
    fill_spec(request.model_spec, wanted.model, wanted.version, wanted.label, DEFAULT_SIGNATURE)
    return request


def _no_such_label(model: str, label: str) -> VersionNotServedError:
    return VersionNotServedError(f"The model {model} has no version with the label {label[:_SHOWN_CHARACTERS]!r}.")


async def _guard_all(
    images: Sequence[EncodedImage | UnreadableImage], manifest: ModelManifest, most_pixels: int
) -> list[Rejection | _Accepted]:
    """Check each image: large ones in a thread, since that can take longer than an event loop may be held up.

    An image that would make it more than `most_pixels` in all is rejected.
    """

    def guard_all() -> list[Rejection | _Accepted]:
        return _within([_guard(image, manifest) for image in images], most_pixels)

    size = sum(len(image.content) for image in images if isinstance(image, EncodedImage))
    return await asyncio.to_thread(guard_all) if size > ALWAYS_CHEAP_PNG_BYTES else guard_all()


def _within(guarded: list[Rejection | _Accepted], most_pixels: int) -> list[Rejection | _Accepted]:
    """Reject each image with which those before it would have more than `most_pixels`; small ones may still follow."""
    total = 0
    for place, each in enumerate(guarded):
        if not isinstance(each, _Accepted):
            continue
        if place > 0 and total + each.head.pixels > most_pixels:
            too_many = TooManyPixelsError(
                f"This image has {each.head.pixels} pixels, and those before it {total}; at most {most_pixels} are "
                "accepted in one request. Send it in another."
            )
            guarded[place] = Rejection(too_many, each.image.name)
        else:
            total += each.head.pixels
    return guarded


def _guard(image: EncodedImage | UnreadableImage, manifest: ModelManifest) -> Rejection | _Accepted:
    if isinstance(image, UnreadableImage):
        return Rejection(image.reason, image.name)
    try:
        head = check_image(
            image.content,
            manifest.encodings,
            manifest.image_input.max_pixels,
            _decoder(manifest),
            needs_jpeg_end=not manifest.jpeg_without_end,
        )
    except ImageError as reason:
        return Rejection(reason.with_traceback(None), image.name)  # whose frames hold the image
    return _Accepted(image, head)


def _decoder(manifest: ModelManifest) -> str:
    """Return what does not decode other types of images, as the caller is told it."""
    return "the model" if manifest.target is None else f"{manifest.target.server}, for which the model was exported,"


def _label(
    accepted: Sequence[_Accepted], scores: Scores, labels: Sequence[str], top_k: int
) -> list[Prediction | Rejection]:
    if len(scores.probabilities[0]) != len(labels):
        raise ModelServerFailedError("The model did not return one probability for each of its labels.")
    return [
        likeliest(row, labels, top_k) if valid else Rejection(_why_not_valid(each), each.image.name)
        for each, row, valid in zip(accepted, scores.probabilities, scores.valid, strict=True)
    ]


def _why_not_valid(accepted: _Accepted) -> ImageError:
    # not too large: the guard has seen its size
    if accepted.head.has_end:
        return UndecodableImageError("The image is damaged and cannot be decoded; save it anew.")
    return cut_short(accepted.image.content, accepted.head.encoding)


def likeliest(probabilities: Sequence[float], labels: Sequence[str], top_k: int) -> Prediction:
    """Return the `top_k` most likely labels, or all if there are fewer; ties are in class order.

    `probabilities` has a number for each label and no NaN, which cannot be ordered; `read_scores` rejects it.
    """
    best = heapq.nlargest(top_k, range(len(probabilities)), key=probabilities.__getitem__)
    return Prediction(tuple([LabelProbability(labels[index], probabilities[index]) for index in best]), best[0])


def _note(
    accepted: Sequence[_Accepted],
    labelled: Sequence[Prediction | Rejection],
    scores: Scores,
    model: str,
    manifest: ModelManifest,
    services: Services,
) -> None:
    """Report the prediction for each image to metrics and drift."""
    brightness = scores.brightness or (None,) * len(accepted)
    for each, entry, mean in zip(accepted, labelled, brightness, strict=True):
        if isinstance(entry, Prediction):
            likeliest = entry.top[0]
            replied = PredictedImage(
                model,
                scores.version,
                entry.index,
                likeliest.label,
                likeliest.probability,
                len(each.image.content),
                each.head.pixels,
                mean,
            )
            services.metrics.images.note(replied)
            services.drift.observe(replied, manifest)

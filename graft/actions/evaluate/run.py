"""Evaluate a version on labelled images, and say how that compares with its own test."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from contract.manifest import ModelManifest
from contract.plain_text import plain_text
from graft.actions.default_lineage import default_lineage
from graft.actions.evaluate.labelled_images import LabelledImages, labelled_images
from graft.actions.evaluate.outputs import as_json, print_evaluation, write_page
from graft.actions.evaluate.predictors import (
    GatewayVersion,
    LabelPredictor,
    Predicted,
    PublishedVersion,
    version_folder,
)
from graft.actions.evaluate.result import BadImage, OwnTest, VersionEvaluation
from graft.actions.predict.requests import GatewayTarget
from graft.errors import CommandError
from lineage.errors import LineageError
from trainer.data.file_digests import digests_of
from trainer.data.folders.walk import plain_name
from trainer.evaluation.calibration import reliability
from trainer.evaluation.comparison import chance_of_difference
from trainer.evaluation.metrics import Predictions, evaluate
from trainer.progress import Progress, TerminalProgress

_URL_STARTS = ("http://", "https://")
_WRONG = 10


@dataclass(frozen=True)
class EvaluateVersion:
    """What `graft evaluate` was asked for; `target` is a version, a model's name or a gateway's URL."""

    target: str
    folder: Path
    models: Path = Path("models")
    model: str | None = None
    version: int | None = None
    api_key: str | None = None
    as_json: bool = False
    out: Path | None = None


def evaluate_version(wanted: EvaluateVersion) -> bool:
    """Predict all images, print how good the version is on them, and return whether all have a prediction.

    Raises:
        CommandError: there is no such version or gateway, or the folder has no class of it.
        ContractError: the version's files were changed.
        DataSetError: a class folder cannot be used.
    """
    if wanted.out and (wanted.out.is_dir() or not wanted.out.parent.is_dir()):
        raise CommandError(
            f"The report cannot be written to {wanted.out}: --out takes a file in a folder that is there."
        )
    return evaluate_with(_predictor(wanted), wanted)


def evaluate_with(predictor: LabelPredictor, wanted: EvaluateVersion) -> bool:
    """Do what `evaluate_version` does with this predictor, whatever the target."""
    data = labelled_images(wanted.folder, predictor.manifest.labels)
    with TerminalProgress(Console(stderr=True, highlight=False)) as progress:
        predicted = predictor.predict([image.path for image in data.images], progress)
        result = _evaluated(wanted.folder, predictor.manifest, data, predicted, progress)
    if wanted.out:
        write_page(wanted.out, result)
    if wanted.as_json:
        sys.stdout.write(as_json(result))
    else:
        print_evaluation(result, wanted.out)
    _list(result.bad, len(data.images))
    return not result.bad


def _predictor(wanted: EvaluateVersion) -> LabelPredictor:
    if wanted.target.startswith(_URL_STARTS):
        query = {"model": wanted.model, "version": wanted.version}
        given = {name: value for name, value in query.items() if value is not None}
        return GatewayVersion(GatewayTarget(wanted.target, wanted.api_key, given))
    if wanted.model is not None:
        raise CommandError("--model is for a gateway's URL; a published version is of one model.")
    return PublishedVersion(version_folder(wanted.target, wanted.models, wanted.version))


def _evaluated(
    folder: Path, manifest: ModelManifest, data: LabelledImages, predicted: Sequence[Predicted], progress: Progress
) -> VersionEvaluation:
    bad = [
        BadImage(image.path, each.reason)
        for image, each in zip(data.images, predicted, strict=True)
        if each.probabilities is None
    ]
    if len(bad) == len(predicted):
        _list(bad, len(predicted))
        raise CommandError(f"No image in {plain_name(folder)} has a prediction.")
    good = [(image, each) for image, each in zip(data.images, predicted, strict=True) if each.probabilities is not None]
    predictions = Predictions(
        np.array([each.probabilities for _, each in good], np.float32),
        np.array([image.label for image, _ in good], np.int32),
    )
    metrics = evaluate(predictions, manifest.labels)
    own = _own_test(manifest.metrics, metrics)
    seen, on_seen = _seen_in_training(manifest, [image.path for image, _ in good], predictions, progress)
    notes = [*data.notes, *on_seen, *([own.note] if own and own.note else [])]
    if own is None:
        notes.append("The version says nothing of a test of its own.")
    return VersionEvaluation(
        folder=folder,
        manifest=manifest,
        metrics=metrics,
        own=own,
        reliability=reliability(predictions.probabilities, predictions.labels),
        wrong=_most_confident_wrong(predictions, [image.path for image, _ in good], manifest.labels),
        bad=bad,
        unknown=data.unknown,
        missing=data.missing,
        seen_in_training=seen,
        notes=notes,
    )


def _own_test(metrics: Mapping[str, Any], here: Mapping[str, Any]) -> OwnTest | None:
    name = "test" if "test" in metrics else "validation"
    own = metrics.get(name)
    if not isinstance(own, Mapping) or not {"accuracy", "images"} <= set(own):
        return None
    right = [round(each["accuracy"] * each["images"]) for each in (here, own)]
    p_value = chance_of_difference(right[0], here["images"], right[1], own["images"])
    note = (
        ""
        if name == "test"
        else "The version has no test of its own (--no-test): its validation images chose its epoch."
    )
    return OwnTest(name, own, p_value, note)


def _seen_in_training(
    manifest: ModelManifest, paths: Sequence[Path], predictions: Predictions, progress: Progress
) -> tuple[int | None, list[str]]:
    """Return how many files the version was trained on, and sentences on it; None where the lineage does not tell."""
    splits: dict[str, str] = {}
    with suppress(LineageError), default_lineage(create=False) as lineage:
        splits = lineage.splits_of_images(manifest.run)
    if not splits:
        return None, [
            "Whether the version was trained on some of these images is not known: its run is not in lineage.db."
        ]
    progress.on_work("comparing with the training images", len(paths))
    seen = np.array([splits.get(digest) in {"train", "val"} for _, digest in digests_of(paths)])
    if not seen.any():
        return 0, ["None of these files was used to train the version."]
    others = predictions.right[~seen]
    without = f"; on the others accuracy is {others.mean():.3f}" if len(others) else ""
    used = "1 of these files was" if seen.sum() == 1 else f"{seen.sum()} of these files were"
    return int(seen.sum()), [f"{used} used to train or validate the version, so the accuracy is too good{without}."]


def _most_confident_wrong(
    predictions: Predictions, paths: Sequence[Path], labels: Sequence[str]
) -> list[tuple[Path, str, str, float]]:
    confidence = predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(~predictions.right)
    return [
        (
            paths[place],
            labels[predictions.labels[place]],
            labels[predictions.predicted[place]],
            float(confidence[place]),
        )
        for place in wrong[np.argsort(-confidence[wrong], kind="stable")][:_WRONG].tolist()
    ]


def _list(bad: Sequence[BadImage], of: int) -> None:
    if bad:
        print(plain_text(f"{len(bad)} of {of} images have no prediction:"), file=sys.stderr)  # noqa: T201 - the command's own
    for each in bad:
        print(plain_text(f"  {each.path}: {each.reason}"), file=sys.stderr)  # noqa: T201

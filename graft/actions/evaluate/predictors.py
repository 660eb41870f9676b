"""What predicts in an evaluation: a published version in this process, or a running gateway."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import numpy as np
import numpy.typing as npt

from contract.manifest import ModelManifest
from contract.publish import read_version
from contract.versions import MANIFEST, published_versions
from graft.actions.predict.inputs import Input, file_input
from graft.actions.predict.requests import GatewayTarget, SentImages
from graft.errors import CommandError, ImageRefusedError
from trainer.data.folders.walk import plain_name
from trainer.progress import Progress
from trainer.tensorflow_start import start_tensorflow

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Predicted:
    """The probabilities of the model's labels for one image, float32 [C]; None if `reason` says why there are none."""

    probabilities: npt.NDArray[np.float32] | None
    reason: str = ""


class LabelPredictor(Protocol):
    """Predicts every label's probability; `manifest` is the version's."""

    @property
    def manifest(self) -> ModelManifest:
        """Return the manifest of the version that predicts."""

    def predict(self, paths: Sequence[Path], progress: Progress) -> list[Predicted]:
        """Return what is predicted for each file, in their order."""


def version_folder(target: str, models: Path, version: int | None) -> Path:
    """Return the folder of the version that a target names: a version, a model's folder, or a model's name.

    Raises:
        CommandError: there is none.
    """
    for place in (Path(target), models / target):
        if (place / MANIFEST).is_file():
            return place
        if published := published_versions(place):
            if version is not None and version not in published:
                known = ", ".join(map(str, published))
                raise CommandError(f"{plain_name(place)} has no version {version}; it has {known}.")
            return place / str(version or published[-1])
    names = sorted(path.name for path in models.iterdir() if published_versions(path)) if models.is_dir() else []
    there = f"there are {', '.join(names)}" if names else "there are none"
    raise CommandError(
        f"{target} is neither a published version, nor a model under {plain_name(models)} ({there}), nor a URL; give "
        "such as models/flowers/2, flowers or http://127.0.0.1:8000."
    )


class PublishedVersion:
    """A published version, loaded with TensorFlow in this process; its files are checked first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.manifest = read_version(folder)

    def predict(self, paths: Sequence[Path], progress: Progress) -> list[Predicted]:
        """Predict files, eight at a time; one that cannot be decoded hurts no other."""
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from exporter.saved_model.loading import LoadedVersion  # takes seconds

        version = LoadedVersion(self._folder)
        progress.on_work("Predicting", len(paths))
        unreadable: dict[int, str] = {}
        found = version.predict(_contents(paths, unreadable), progress.on_step)
        limit = self.manifest.image_input.max_pixels
        refused = f"Not an image that the model takes: another format, damaged, or of more than {limit} pixels."
        return [
            Predicted(row) if label else Predicted(None, unreadable.get(number, refused))
            for number, (label, row) in enumerate(zip(found.labels, found.probabilities, strict=True))
        ]


class GatewayVersion:
    """A version behind a running gateway.

    Raises:
        CommandError: no gateway responds, it does not say which model, or it has no card.
    """

    def __init__(self, gateway: GatewayTarget) -> None:
        model = gateway.query.get("model") or _only_model(gateway)
        version = {name: value for name, value in gateway.query.items() if name == "version"}
        card = _get(gateway, f"/v1/models/{quote(str(model), safe='', errors='surrogateescape')}/card", version)
        self.manifest = ModelManifest.from_json(card, where=f"The card of {model} at {gateway.url}")
        query = {"model": model, "version": self.manifest.version, "top_k": len(self.manifest.labels)}
        self._gateway = GatewayTarget(gateway.url, gateway.api_key, query)

    def predict(self, paths: Sequence[Path], progress: Progress) -> list[Predicted]:
        """Send files, many in a request and several requests at a time."""
        progress.on_work("Predicting", len(paths))
        sent = SentImages([file_input(path) for path in paths], progress.on_step)
        asyncio.run(sent.fetch(self._gateway))
        place = {label: number for number, label in enumerate(self.manifest.labels)}
        found = []
        for outcome in sent.outcomes:
            if outcome is None or not outcome.predicted:
                found.append(Predicted(None, outcome.detail if outcome else "It was not sent."))
                continue
            row = np.zeros(len(place), np.float32)
            for label, probability in outcome.top:
                row[place[label]] = probability
            found.append(Predicted(row))
        return found


def _contents(paths: Sequence[Path], unreadable: dict[int, str]) -> Iterator[bytes]:
    """Yield the bytes of each file; none, which no version takes, for those that cannot be read."""
    for number, path in enumerate(paths):
        image: Input = file_input(path)
        try:
            yield image.read()
        except ImageRefusedError as error:
            unreadable[number] = str(error)
            yield b""


def _only_model(gateway: GatewayTarget) -> str:
    listed: list[dict[str, Any]] = _json(_get(gateway, "/v1/models", {}), gateway)["models"]
    if len(listed) == 1:
        return str(listed[0]["name"])
    raise CommandError(f"The gateway at {gateway.url} has {len(listed)} models; give --model.")


def _get(gateway: GatewayTarget, path: str, query: dict[str, str | int]) -> bytes:
    headers = {"Accept": "application/json"} | ({"X-API-Key": gateway.api_key} if gateway.api_key else {})
    try:
        url = gateway.url.rstrip("/") + path
        response = httpx.get(url, params=query, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(
            f"No gateway responds at {gateway.url} ({error or type(error).__name__}); start one with `graft up`."
        ) from error
    if not response.is_success:
        body = _json(response.content, gateway) if "json" in response.headers.get("content-type", "") else {}
        said = body.get("detail") or f"{response.status_code} {response.reason_phrase}"
        raise CommandError(f"The gateway at {gateway.url} does not say what it serves: {said}")
    return response.content


def _json(content: bytes, gateway: GatewayTarget) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise CommandError(f"What responds at {gateway.url} is not a gateway of Graft; give its URL.")
    return body

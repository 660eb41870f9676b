"""Predictors outside this process: a model server, and a gateway before one."""

from typing import Any, TypeVar

import httpx
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from contract.manifest import ModelManifest
from exporter.check.images import ImageBatch
from exporter.check.predictor import PredictedBatch
from exporter.check.server_client import ServerClient
from exporter.errors import CheckError

REMOTE_BOUND = 1e-4
"""How far a served probability may be from the trained model's.

Another build of TensorFlow decodes JPEGs with another version of libjpeg, and another machine sums in another order:
both are allowed ten times more than the same build in the same process.
"""

_B = TypeVar("_B", bound=BaseModel)
_REJECTIONS = {413, 415, 422}
_NO_IMAGE = "no_image"  # an empty body, which is a bad request and no bad image for HTTP
_TIMEOUT_SECONDS = 60


class CheckedServer:
    """A server of TensorFlow Serving's gRPC API that serves one version."""

    bound: float | None = REMOTE_BOUND
    timed = True

    def __init__(self, client: ServerClient, manifest: ModelManifest, name: str) -> None:
        self.name = name
        self._client = client
        self._manifest = manifest

    def await_version(self) -> None:
        """Wait until a server that was just started serves this version.

        Raises:
            CheckError: it cannot load it.
        """
        self._client.await_version(self._manifest.version)

    def prove_identity(self) -> None:
        """See that it serves this version, and not another one of the same number.

        Raises:
            CheckError: it cannot be reached, or serves another model.
        """
        described = self._client.describe(self._manifest.version)
        if described.digest != self._manifest.digest:
            raise CheckError(_another(f"The model server at {self._client.address}", self._manifest, described.digest))

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer from the files' bytes, in one call."""
        found = self._client.predict(self._manifest.version, batch.contents)
        if found.probabilities.shape[1] != len(self._manifest.labels):
            raise CheckError(f"The model server at {self._client.address} answers with another number of classes.")
        return PredictedBatch(
            found.probabilities, found.valid, found.labels, _counts(batch, found.valid, self._manifest)
        )


class Gateway:
    """A gateway that offers one version, asked through its native API, an image at a time. Use it in a `with`."""

    bound: float | None = REMOTE_BOUND
    timed = True

    def __init__(self, url: str, manifest: ModelManifest, api_key: str | None = None) -> None:
        self.name = "gateway"
        self._url = url
        self._manifest = manifest
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, headers=headers, trust_env=False)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def prove_identity(self) -> None:
        """See that it offers this version, and not another one of the same number.

        Raises:
            CheckError: it cannot be reached, or does not offer it.
        """
        name, number = self._manifest.name, str(self._manifest.version)
        models = {model.name: model for model in self._read(_Models, self._send("GET", "/v1/models")).models}
        if name not in models:
            raise CheckError(f"The gateway at {self._url} offers no model {name}; it has {', '.join(models)}.")
        served = {row.version: row for row in models[name].versions if row.state == "AVAILABLE"}
        if number not in served:
            seen = f"it serves version {', '.join(served)}" if served else "no version of it is served"
            raise CheckError(f"The gateway at {self._url} does not serve version {number} of {name}; {seen}.")
        if (digest := served[number].digest) != self._manifest.digest:
            raise CheckError(_another(f"The gateway at {self._url}", self._manifest, digest))

    def predict(self, batch: ImageBatch) -> PredictedBatch:
        """Answer from the files' bytes, a request each."""
        predictions = [self._predict(content) for content in batch.contents]
        rows = [self._probabilities(prediction) for prediction in predictions]
        valid = np.array([prediction is not None for prediction in predictions])
        labels = tuple(found.label if found else "" for found in predictions)
        return PredictedBatch(np.stack(rows), valid, labels, _counts(batch, valid, self._manifest))

    def _predict(self, content: bytes) -> "_Prediction | None":
        """Return what the gateway says about an image; None where it refuses it."""
        manifest = self._manifest
        query = {"model": manifest.name, "version": manifest.version, "top_k": len(manifest.labels)}
        headers = {"content-type": "application/octet-stream"}
        response = self._send("POST", "/v1/predict", params=query, content=content, headers=headers)
        if response.is_success:
            (prediction,) = self._read(_PredictResponse, response).predictions
            return prediction
        problem = self._read(_Problem, response)
        if response.status_code in _REJECTIONS or problem.code == _NO_IMAGE:
            return None
        raise CheckError(f"The gateway at {self._url} cannot answer: {problem.detail}")

    def _probabilities(self, prediction: "_Prediction | None") -> npt.NDArray[np.float32]:
        labels = self._manifest.labels
        if prediction is None:
            return np.zeros(len(labels), np.float32)
        by_label = {top.label: top.probability for top in prediction.top}
        if set(by_label) != set(labels):
            raise CheckError(f"The gateway at {self._url} answers with other classes than those of the manifest.")
        return np.array([by_label[label] for label in labels], np.float32)

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            return self._http.request(method, self._url.rstrip("/") + path, **what)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise CheckError(
                f"No gateway responds at {self._url} ({error}); start one with `graft up`, or give another --gateway."
            ) from error

    def _read(self, kind: type[_B], response: httpx.Response) -> _B:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise CheckError(
                f"What answers at {self._url} is no gateway of Graft's; give another --gateway."
            ) from error


def _counts(batch: ImageBatch, valid: npt.NDArray[np.bool_], manifest: ModelManifest) -> npt.NDArray[np.bool_]:
    """Return which of N predictions are compared: not the refusal of a WebP that the version's target cannot decode."""
    decoded = [("webp" in manifest.encodings) or not _is_webp(content) for content in batch.contents]
    return valid | np.array(decoded, np.bool_)


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


class _Version(BaseModel):
    version: str
    state: str
    digest: str | None = None


class _Model(BaseModel):
    name: str
    versions: list[_Version]


class _Models(BaseModel):
    models: list[_Model]


class _Likely(BaseModel):
    label: str
    probability: float


class _Prediction(_Likely):
    top: list[_Likely]


class _PredictResponse(BaseModel):
    predictions: tuple[_Prediction]


class _Problem(BaseModel):
    code: str
    detail: str


def _another(server: str, manifest: ModelManifest, digest: str | None) -> str:
    version = f"version {manifest.version} of {manifest.name}"
    return (
        f"{server} serves another {version}: its digest is {digest or 'not known'}, and this one's {manifest.digest}."
    )

"""Models of the native protocol's responses; for predictions they only describe what the route writes directly."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.drift.buckets import Feature


def _example(**content: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [content]})


class LikelyLabel(BaseModel):
    """One label and how likely it is."""

    label: str
    probability: float = Field(ge=0, le=1)


class ImagePrediction(LikelyLabel):
    """The prediction for one image: its most likely label, and the `top_k` most likely ones in order."""

    top: list[LikelyLabel]


class ErrorReason(BaseModel):
    """Why one image has no prediction."""

    code: str
    detail: str
    name: str | None = Field(description="The image's name in the request, if it had one.")


class RejectedImage(BaseModel):
    """The entry of an image that was rejected, in place of a prediction."""

    error: ErrorReason


class PredictResponse(BaseModel):
    """The predictions of one version of a model."""

    model_config = _example(
        model="flowers",
        version="3",
        digest="sha256:9f2c",
        request_id="5a1f0c2e9b7d4e6f8a3b1c0d2e4f6a8b",
        predictions=[
            {
                "label": "rose",
                "probability": 0.97,
                "top": [{"label": "rose", "probability": 0.97}, {"label": "tulip", "probability": 0.02}],
            },
            {"error": {"code": "truncated_image", "detail": "The JPEG ends too early.", "name": "b.jpg"}},
        ],
    )

    model: str
    version: str = Field(description="An int64 as text, because a JavaScript number cannot hold it.")
    digest: str = Field(description="The digest of the published files.")
    request_id: str
    predictions: list[ImagePrediction | RejectedImage] = Field(description="One entry per image, in the order sent.")


class ListedVersion(BaseModel):
    """One version of a model; `digest` and the fields below it only if the version has a manifest."""

    version: str
    state: str = Field(examples=["AVAILABLE"])
    failed: bool
    digest: str = ""
    architecture: str = ""
    labels: tuple[str, ...] = ()


class ListedModel(BaseModel):
    """One configured model, and the reason if it is not available."""

    name: str
    available: bool
    reason: str | None
    versions: list[ListedVersion]


class ModelList(BaseModel):
    """Every configured model."""

    model_config = _example(
        models=[
            {
                "name": "flowers",
                "available": True,
                "reason": None,
                "versions": [
                    {
                        "version": "3",
                        "state": "AVAILABLE",
                        "failed": False,
                        "digest": "sha256:9f2c",
                        "architecture": "mobilenet_v3_small",
                        "labels": ["rose", "tulip"],
                    }
                ],
            }
        ],
        max_body_bytes=20971520,
        max_images=64,
    )

    models: list[ListedModel]
    max_body_bytes: int = Field(gt=0, description="The most bytes of a request's body.")
    max_images: int = Field(gt=0, description="The most images in one request.")


class FeatureReport(BaseModel):
    """How far one feature is from the reference; it `moved` if `psi` is above its threshold."""

    feature: Feature
    images: int = Field(ge=0)
    psi: float = Field(ge=0)
    js_distance: float = Field(ge=0, le=1)
    threshold_psi: float = Field(gt=0)
    moved: bool
    sentence: str


class VersionReport(BaseModel):
    """The drift of one version."""

    version: str
    digest: str
    reference_images: int | None = Field(ge=0, description="null if the version has no reference.")
    images: int = Field(ge=0)
    wanted: int = Field(ge=0, description="How many images are needed to compare.")
    moved: bool
    sentence: str
    features: list[FeatureReport]


class DriftReport(BaseModel):
    """The drift of a model since its test."""

    model_config = _example(
        model="flowers",
        watched=True,
        window=500,
        versions=[
            {
                "version": "3",
                "digest": "sha256:9f2c",
                "reference_images": 640,
                "images": 80,
                "wanted": 200,
                "moved": False,
                "sentence": "Too few images to compare: 80 of 200.",
                "features": [],
            }
        ],
    )

    model: str
    watched: bool = Field(description="Whether drift monitoring is on.")
    window: int = Field(ge=0)
    versions: list[VersionReport]

"""Metrics of images and predictions."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.observability.metric_labels import Children, ModelLabels
from gateway.observability.predicted_image import PredictedImage

_CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_BYTES = tuple(float(4**power * 1024) for power in range(9))  # 1 KiB to 64 MiB
_PIXELS = tuple(float(4**power * 1024) for power in range(9))  # 32 x 32 to 8192 x 8192


class ImageMetrics:
    """Images predicted and rejected, their predicted classes and confidence, and their sizes."""

    def __init__(self, labels: ModelLabels, registry: CollectorRegistry) -> None:
        self._labels = labels
        self._images = Children(
            Counter,
            "graft_gateway_images",
            "Images by outcome: ok or the code of the rejection.",
            ["model", "outcome"],
            registry,
        )
        self._predicted = Children(
            Counter,
            "graft_gateway_predicted",
            "Images by predicted class; the first 100 classes of a model, the rest as other.",
            ["model", "class"],
            registry,
        )
        self._confidence = Children(
            Histogram,
            "graft_gateway_confidence",
            "Probability of the predicted class, 0 to 1.",
            ["model", "version"],
            registry,
            buckets=_CONFIDENCE,
        )
        labels.on_forgotten(self._confidence.forget)
        self._bytes = Histogram(
            "graft_gateway_image_bytes", "Encoded size of the predicted images.", registry=registry, buckets=_BYTES
        )
        self._pixels = Histogram(
            "graft_gateway_image_pixels",
            "Width times height of the predicted images, from their headers.",
            registry=registry,
            buckets=_PIXELS,
        )

    def count(self, model: str, outcome: str) -> None:
        """Count one image; `outcome` is ok or the code of its rejection."""
        self._images.of(self._labels.model(model), outcome).inc()

    def note(self, image: PredictedImage) -> None:
        """Record the prediction for one image, and the image's sizes."""
        model = self._labels.model(image.model)
        self._predicted.of(model, self._labels.class_of(model, image.class_index, image.label)).inc()
        self._confidence.of(model, self._labels.version(model, image.version)).observe(image.probability)
        self._bytes.observe(image.bytes)
        if image.pixels is not None:
            self._pixels.observe(image.pixels)

"""A model for MLServer, run by its own Python: calls a SavedModel with images that are base64 in JSON."""

import base64
from typing import Any

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class SavedModelRuntime(MLModel):  # type: ignore[misc]
    """Predicts a batch of images in one call; MLServer makes the batches."""

    async def load(self) -> bool:
        """Load the model."""
        import tensorflow as tf  # noqa: PLC0415 - with the settings of this process

        self._tensorflow: Any = tf
        self._model = tf.saved_model.load(self.settings.parameters.uri)  # owns the variables
        self._serve = self._model.signatures["serving_default"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the probabilities of the images in a request."""
        images = [base64.b64decode(text) for text in StringCodec.decode_input(payload.inputs[0])]
        probabilities = self._serve(image_bytes=self._tensorflow.constant(images))["probabilities"].numpy()
        output = NumpyCodec.encode_output("probabilities", probabilities)
        return InferenceResponse(model_name=self.name, outputs=[output])

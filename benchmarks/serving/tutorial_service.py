"""What tutorials build, for comparison: `python -m benchmarks.serving.tutorial_service [FLAG] FOLDER PORT`.

One FastAPI process on uvicorn that loads a SavedModel and calls it itself: the body of a request is one image, the
response a label and its probability as JSON. The endpoint is a plain `def`, so it runs in FastAPI's pool of threads and
several requests are in TensorFlow at a time. It does nothing unnecessary: no form, no base64, no second copy, no
log of requests, no validation of the response. TensorFlow has its own default threads. oneDNN is on,
as in ours, even where TensorFlow would leave it off (processors without VNNI); with the flag
`--tensorflow-defaults` TensorFlow decides.
"""

import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from benchmarks.engines.unfolded_model import LABELS_FILE
from trainer.tensorflow_start import start_tensorflow


def create_app(folder: Path) -> FastAPI:
    """Return the application; the model is loaded."""
    import tensorflow as tf  # noqa: PLC0415 - not before it was silenced

    labels = (folder / LABELS_FILE).read_text().splitlines()
    model = tf.saved_model.load(str(folder))
    serve = model.signatures["serving_default"]
    app = FastAPI()
    app.state.model = model  # owns the variables

    async def raw_body(request: Request) -> bytes:
        return await request.body()

    @app.post("/predict")
    def predict(body: Annotated[bytes, Depends(raw_body)]) -> JSONResponse:
        probabilities = serve(image_bytes=tf.constant([body]))["probabilities"].numpy()[0]
        best = int(probabilities.argmax())
        return JSONResponse({"label": labels[best], "probability": float(probabilities[best])})

    return app


def main() -> None:
    """Serve until killed."""
    *flags, folder, port = sys.argv[1:]
    if not flags:
        start_tensorflow()
    uvicorn.run(create_app(Path(folder)), host="127.0.0.1", port=int(port), access_log=False, log_level="error")


if __name__ == "__main__":
    main()

"""The verb `predict` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import BAD_INPUT
from graft.verbs.check import ApiKey

Images = Annotated[list[Path], typer.Argument(help="Image files.")]
Url = Annotated[str, typer.Option(help="The gateway's URL.")]
Model = Annotated[str | None, typer.Option(help="The model; not needed if the gateway has only one.")]


def predict(images: Images, url: Url = "http://127.0.0.1:8000", model: Model = None, api_key: ApiKey = None) -> None:
    """Send images to a running gateway, and print a prediction for each."""
    from graft.actions.predict import predict_images

    if not predict_images(images, url, model, api_key):
        raise SystemExit(BAD_INPUT)

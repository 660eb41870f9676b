"""The verb `predict`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Column, Table

from graft.errors import CommandError

_TIMEOUT_SECONDS = 30


def predict_images(images: Sequence[Path], url: str, model: str | None, api_key: str | None = None) -> bool:
    """Send each image to the gateway at `url`, print a table, and return whether all have predictions.

    Raises:
        CommandError: a file cannot be read, or the gateway cannot be reached or has no model.
    """
    table = Table(Column("image", overflow="fold"), "prediction", "probability", "ms")
    all_predicted = True
    headers = {"X-API-Key": api_key} if api_key else {}
    with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, headers=headers, trust_env=False) as client:
        for image in images:
            content = _read(image)
            start = time.perf_counter()
            prediction = _request(client, content, {"model": model} if model else {})
            milliseconds = f"{(time.perf_counter() - start) * 1000:.0f}"
            rejection = prediction.get("detail")
            if rejection:
                all_predicted = False
                table.add_row(str(image), f"rejected: {rejection}", "", milliseconds)
            else:
                (found,) = prediction["predictions"]
                table.add_row(str(image), found["label"], f"{found['probability']:.3f}", milliseconds)
    Console(highlight=False).print(table)
    return all_predicted


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise CommandError(f"The image {image} cannot be read: {error.strerror}.") from error


def _request(client: httpx.Client, content: bytes, query: dict[str, str]) -> dict[str, Any]:
    """Return the response, or the problem if the image was rejected."""
    try:
        response = client.post(
            "/v1/predict", params=query, content=content, headers={"content-type": "application/octet-stream"}
        )
    except httpx.HTTPError as error:
        raise CommandError(
            f"No gateway responds at {client.base_url} ({error}); start one with `graft up`, or give --url."
        ) from error
    body: dict[str, Any] = response.json()
    if response.is_success or response.status_code in {413, 415, 422}:
        return body
    raise CommandError(f"The gateway at {client.base_url} cannot predict: {body.get('detail', response.reason_phrase)}")

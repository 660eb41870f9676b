"""Inputs that people reported, sent to a running service: each gets what its report says is right."""

import json
import os
import runpy
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.command import Service, started

IMAGE = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def echo(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway before a model server with the model of `oip-json-not-finite`, and with its port for metrics."""
    folder = tmp_path_factory.mktemp("echo")
    before = Path.cwd()
    os.chdir(folder)
    try:
        runpy.run_path(str(cases / "oip-json-not-finite" / "model.py"))
    finally:
        os.chdir(before)
    with socket.create_server(("127.0.0.1", 0)) as free:
        rest = free.getsockname()[1]
    flags = (
        "--model_name=echo",
        f"--model_base_path={folder / 'mecho' / 'echo'}",
        f"--rest_api_port={rest}",
        "--port=0",
    )
    with started("modelserver", *flags, announces=r"Model server listening on (\S+)") as server:
        gateway = ("gateway", "--model", "echo", "--model-server", server.url, "--port", "0")
        with started(*gateway, announces=r"Gateway listening on (\S+)") as service, service.client() as client:
            while client.get("/readyz").status_code != httpx.codes.OK:
                pass
            client.headers["x-rest-port"] = str(rest)
            yield client


def test_a_cut_photo_with_a_thumbnail_is_truncated(cases: Path, colours_service: Service) -> None:
    """The end of the thumbnail is not the image's: 422 `truncated_image`, as for a photo without one."""
    content = (cases / "cut-photo-with-thumbnail" / "thumb_cut_half.jpg").read_bytes()
    with colours_service.client() as client:
        refused = client.post("/v1/predict", content=content, headers=IMAGE)
    assert refused.status_code == 422
    assert refused.json()["code"] == "truncated_image"


def test_a_heic_photo_is_named_for_what_it_is(cases: Path, colours_service: Service) -> None:
    """Whatever its name says, it is HEIC."""
    content = (cases / "heic-named-jpg-in-training" / "photo.heic.jpg").read_bytes()
    with colours_service.client() as client:
        refused = client.post("/v1/predict", content=content, headers=IMAGE)
    assert refused.status_code == 415
    assert "heic" in refused.json()["detail"].lower()


def test_a_part_with_only_an_extended_name_is_a_file(cases: Path, colours_service: Service) -> None:
    """RFC 7578 forbids `filename*`, and clients write it."""
    form = (cases / "multipart-filename-star" / "body.txt").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    image = (cases / "oip-base64-in-json" / "plain.jpg").read_bytes()
    shown = next(line for line in form.split(b"\r\n") if "bytes" in line.decode())
    headers = {"content-type": "multipart/form-data; boundary=XbX"}
    with colours_service.client() as client:
        predicted = client.post("/v1/predict", content=form.replace(shown, image), headers=headers)
    assert predicted.status_code == 200, predicted.text
    assert len(predicted.json()["predictions"]) == 1


def test_json_never_has_numbers_that_are_not_finite(cases: Path, echo: httpx.Client) -> None:
    """Open Inference in JSON: 400 that says how to ask, for no parser but Python's takes `Infinity`."""
    wanted = json.loads((cases / "oip-json-not-finite" / "request.json").read_text())
    refused = echo.post("/v2/models/echo/infer", json=wanted)
    assert refused.status_code == 400, refused.text
    assert "binary_data" in refused.text


def test_who_looks_for_rest_at_the_model_server_is_told_where_it_is(echo: httpx.Client) -> None:
    """The REST API is the gateway's, and the sentence says so."""
    url = f"http://127.0.0.1:{echo.headers['x-rest-port']}/v1/models/echo:predict"
    with httpx.Client(trust_env=False) as client:
        refused = client.post(url, json={"instances": [{"b64": "AA=="}]})
    assert refused.status_code == 404
    assert "graft gateway" in refused.text

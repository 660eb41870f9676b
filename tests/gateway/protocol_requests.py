"""The same question in each of the three protocols, and what their answers say."""

import base64
import json
import struct
from typing import Any

import httpx

PROTOCOLS = ("native", "tensorflow", "open_inference")


def send(gateway: httpx.Client, image: bytes, protocol: str = "native", **headers: str) -> httpx.Response:
    """Ask the model `flowers` about one image."""
    if protocol == "native":
        return gateway.post("/v1/predict", content=image, headers=headers)
    if protocol == "tensorflow":
        body = {"instances": [{"b64": base64.b64encode(image).decode()}]}
        return gateway.post("/v1/models/flowers:predict", json=body, headers=headers)
    tensor = struct.pack("<I", len(image)) + image
    declared = {"name": "image_bytes", "shape": [1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**declared, "parameters": {"binary_data_size": len(tensor)}}]}).encode()
    binary = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return gateway.post("/v2/models/flowers/infer", content=head + tensor, headers={**binary, **headers})


def label_in(response: httpx.Response, protocol: str = "native") -> str:
    """Return the label that an answer gives to its only image."""
    body: dict[str, Any] = response.json()
    if protocol == "native":
        return str(body["predictions"][0]["label"])
    if protocol == "tensorflow":
        return str(body["predictions"][0]["label"])
    return str(next(output["data"][0] for output in body["outputs"] if output["name"] == "label"))


def probabilities_in(response: httpx.Response, protocol: str = "native") -> list[float]:
    """Return the probabilities that an answer gives to its only image, ascending."""
    body: dict[str, Any] = response.json()
    if protocol == "native":
        return sorted(entry["probability"] for entry in body["predictions"][0]["top"])
    if protocol == "tensorflow":
        return sorted(body["predictions"][0]["probabilities"])
    return sorted(next(output["data"] for output in body["outputs"] if output["name"] == "probabilities"))


def sentence_in(response: httpx.Response, protocol: str = "native") -> str:
    """Return what a refusal says; fail if it does not have the protocol's shape."""
    body: dict[str, Any] = response.json()
    if protocol == "native":
        assert response.headers["content-type"] == "application/problem+json"
        return str(body["detail"])
    assert response.headers["content-type"] == "application/json"
    assert set(body) == {"error"}
    return str(body["error"])

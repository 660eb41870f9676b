"""All attacks."""

import base64
import json
from collections.abc import Callable

from benchmarks.attack.attack import REFUSED, Attack, http_attack
from benchmarks.attack.connections import connection_attacks
from benchmarks.attack.exchange import Target
from benchmarks.attack.framing import framing_attacks
from benchmarks.attack.image_bombs import image_bombs
from benchmarks.attack.messages import image_message_attack, message_attacks
from benchmarks.attack.texts import tensor_text_attacks, text_attacks

_MAX_JSON_BYTES = 8 * 1024 * 1024


def corpus(target: Target, image: bytes, *, short: bool = False) -> list[Attack]:
    """Return all attacks that can be sent to `target`; `image` is a good one. If `short`, a bomb goes one way only."""
    attacks = [*text_attacks(), *tensor_text_attacks(), *framing_attacks(image)]
    if target.model_server:
        attacks += message_attacks()
    for number, (name, bomb) in enumerate(image_bombs().items()):
        ways = _image_attacks(name, bomb)
        if target.model_server:
            ways.append(image_message_attack(name, bomb))
        attacks += [ways[number % len(ways)]] if short else ways
    return [*attacks, *connection_attacks(image)]


def _image_attacks(name: str, bomb: bytes) -> list[Attack]:
    """Return an image sent as it is, and in the JSON of another protocol, which the gateway's guard does not see."""
    raw = http_attack(name, "images", _raw(bomb), ("200", *REFUSED))
    if len(bomb) * 4 // 3 > _MAX_JSON_BYTES - 100:
        return [raw]
    return [raw, http_attack(f"{name}, TensorFlow", "images", _in_json(bomb), ("200", *REFUSED))]


def _raw(bomb: bytes) -> Callable[[Target], bytes]:
    return lambda target: target.request("/v1/predict", bomb, headers={"content-type": "application/octet-stream"})


def _in_json(bomb: bytes) -> Callable[[Target], bytes]:
    body = json.dumps({"instances": [{"b64": base64.b64encode(bomb).decode()}]}).encode()
    path = "/v1/models/{}:predict"
    return lambda target: target.request(path.format(target.model), body, headers={"content-type": "application/json"})

"""Files as users send them, and files that are made to hurt: refused by their header, in words, at no cost."""

import httpx
import pytest

from contract.image_input import Encoding
from gateway.errors import TooManyPixelsError
from gateway.predict.image_guard import check_image
from tests.drawn.awkward_files import awkward_rows, content_of, is_predicted
from tests.drawn.bombs import BOMBS, huge, jpeg_bomb
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until_ready
from tests.peak_memory import peak_mb_above_now

ENCODINGS: tuple[Encoding, ...] = ("jpeg", "png", "bmp", "webp")


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """Each kind of image that declares about 20000 x 20000 pixels."""
    return {kind: huge(kind) for kind in BOMBS}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_any_call(
    own_gateway: httpx.Client, model_server: FakeModelServer, bombs: dict[str, bytes], kind: str
) -> None:
    """It is refused with its size, the model server hears nothing of it, and memory does not grow with its pixels."""
    requested = len(model_server.predict_requests)
    bomb, responses = bombs[kind], []
    descended = peak_mb_above_now(lambda: responses.append(own_gateway.post("/v1/predict", content=bomb)))
    assert (responses[0].status_code, responses[0].json()["code"]) == (413, "too_many_pixels")
    assert "at most 50000000" in responses[0].json()["detail"]
    assert len(model_server.predict_requests) == requested
    assert descended < 60 + 6 * len(bomb) / 1e6  # the body itself is held a few times on its way


def test_the_limit_is_the_models(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """How many pixels are accepted is said by the manifest of the version that answers."""
    model_server.publish("small", 1, max_pixels=63)
    gateway = start_gateway(models=("flowers", "small"))
    wait_until_ready(gateway)
    image = draw("PNG")
    assert gateway.post("/v1/predict", content=image).status_code == 200
    refused = gateway.post("/v1/models/small/predict", content=image)
    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_pixels")
    assert "8 x 8 pixels; at most 63" in refused.json()["detail"]


def test_every_awkward_file_is_judged_as_the_graph_does(
    own_gateway: httpx.Client, model_server: FakeModelServer
) -> None:
    """What TensorFlow decodes is handed on; all else is refused without a call."""
    for row in awkward_rows():
        requested = len(model_server.predict_requests)
        response = own_gateway.post("/v1/predict", content=content_of(row))
        called = len(model_server.predict_requests) - requested
        expected = (200, 1) if is_predicted(row) else (response.status_code, 0)
        assert (response.status_code, called) == expected, row["file"]
        assert response.status_code in {200, 415, 422}


def test_a_size_behind_megabytes_is_found() -> None:
    """The size of a JPEG may follow segments and fill bytes of any length; it is found and compared."""
    bomb = jpeg_bomb(20_000, 20_000)
    comment = b"\xff\xfe\xff\xff" + bytes(0xFFFF - 2)
    for between in (300 * comment, b"\xff" * 5_000_000):
        with pytest.raises(TooManyPixelsError, match="20000 x 20000"):
            check_image(bomb[:2] + between + bomb[2:], ENCODINGS, 50_000_000)
        small = jpeg_bomb(8, 8)
        assert check_image(small[:2] + between + small[2:], ENCODINGS, 50_000_000).pixels == 64

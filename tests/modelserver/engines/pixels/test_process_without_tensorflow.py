"""A model server of a proved version has nothing of TensorFlow in its memory."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.modelserver.engines.pixels.extension import needs_extension
from tests.modelserver.engines.pixels.proved_versions import FILES, NAME
from tests.modelserver.litert_versions import image, strings
from tests.places import ROOT

SERVE = """
import sys
from pathlib import Path
from modelserver.server import main
from modelserver.settings import ModelServerSettings
sys.exit(main(ModelServerSettings(model_name=sys.argv[1], model_base_path=Path(sys.argv[2]), port=0)))
"""
MOST_MB = 150
"""What the server may hold resident; with TensorFlow's library it was over 400."""

pytestmark = [
    needs_extension,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has in memory in /proc"),
]


@pytest.fixture(scope="module")
def process(proved_version: Path) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own."""
    command = [sys.executable, "-c", SERVE, NAME, str(proved_version.parent)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_nothing_of_tensorflow_is_mapped(
    process: subprocess.Popen[str], connect: Callable[[int], Any], eventually: Callable[..., None]
) -> None:
    """After good and bad images in every way, no file of TensorFlow's is mapped, and little memory is resident."""
    assert process.stdout
    client = connect(int(process.stdout.readline().rpartition(":")[2]))
    eventually(lambda: client.is_available(1, NAME))
    contents = [image(1), image(2), b"no image", image(3)[:-2], *FILES.values()]
    predicted = client.predict({"image_bytes": strings(contents)}, name=NAME)
    assert sum(predicted.outputs["valid"].bool_val) == 6
    assert client.predict({"query": strings([b""])}, "describe", name=NAME).outputs["manifest"].string_val
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert "libtensorflow" not in mapped
    assert "/site-packages/tensorflow/" not in mapped
    assert "kernel.abi3.so" in mapped
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert int(status.split("VmRSS:")[1].split()[0]) / 1024 < MOST_MB

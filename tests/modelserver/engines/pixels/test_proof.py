"""Equal or not used: a version's images are decoded without TensorFlow where its fixtures become the same pixels."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contract.versions import FIXTURES, MANIFEST
from modelserver.engines.graphs.image_decoder import GraphImageDecoder
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.litert.image_decoder import ProvedImageDecoder
from modelserver.engines.litert.model import LitertModel
from modelserver.engines.pixels.decoder import PixelDecoder
from modelserver.engines.pixels.errors import NotProvedError
from modelserver.engines.pixels.proof import RULES, proved_decoder
from modelserver.errors import BadInputError, LoadError
from modelserver.metrics import ModelServerMetrics
from tests.drawn.images import animated, encoded, gradient
from tests.modelserver.engines.pixels.extension import needs_extension
from tests.modelserver.engines.pixels.proved_versions import FILES, with_other_proof
from tests.modelserver.litert_versions import CONTENTS, assert_same, image, strings
from tests.places import ROOT

CMYK = encoded(gradient(40, 30).convert("CMYK"), "JPEG")

pytestmark = needs_extension


@pytest.fixture(scope="module")
def version(proved_version: Path) -> Path:
    """A version that is proved."""
    return proved_version


def test_a_proved_version_is_used_and_responds_as_its_graph(version: Path, tmp_path: Path) -> None:
    """Its outputs for good and bad rows, CMYK too, are those of the version that decodes with its graph."""
    metrics = ModelServerMetrics(lambda _: True)
    proved = LitertModel.load(version, counts=metrics)
    assert isinstance(proved.image_decoder, ProvedImageDecoder)
    contents = [*CONTENTS, CMYK, animated("PNG"), *FILES.values()]
    found = proved.run("serving_default", {"image_bytes": strings(contents)})
    by_graph = LitertModel.load(with_other_proof(version, tmp_path / "1", pixels=None))
    assert isinstance(by_graph.image_decoder, GraphImageDecoder)
    expected = by_graph.run("serving_default", {"image_bytes": strings(contents)})
    assert_same(found, expected)
    np.testing.assert_array_equal(found["brightness"], expected["brightness"])
    page = shown(metrics)
    assert f'graft_modelserver_image_decoders_total{{decoder="own",model_path="{version}"}} 1.0' in page
    assert 'graft_modelserver_images_left_to_tensorflow_total{kind="a CMYK JPEG"} 1.0' in page


def test_single_images_become_the_graphs_pixels(version: Path) -> None:
    """`pixels_of_image` has the outputs of the graph, and fails where it fails."""
    proved, graph = LitertModel.load(version).image_decoder, GraphImageDecoder(version, SavedGraphs(version))
    assert isinstance(proved, ProvedImageDecoder)
    for content in (*CONTENTS, CMYK, *FILES.values()):
        try:
            expected = graph.pixels_of(graph.checked(content))
        except BadInputError:
            with pytest.raises(BadInputError):
                proved.pixels_of(proved.checked(content))
            continue
        found = proved.pixels_of(proved.checked(content))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pixels": None}, "does not say what its pixels are"),
        ({"different": 1}, "other pixels were seen"),
        ({"images": 0}, "none compared"),
        ({"rules": RULES + 1}, "export the run again"),
        ({"fixtures": {"00.jpg": "sha256:0"}}, "its fixture 00.jpg becomes other pixels on this machine"),
        ({"fixtures": {"00.jpg": None}}, "its fixture 00.jpg becomes other pixels"),
        ({"fixtures": {"missing.jpg": "sha256:0"}}, "its fixture missing.jpg cannot be read: No such file"),
        ({"fixtures": {"truncated.jpg": None}}, "none of its fixtures is of a kind"),
    ],
)
def test_whatever_is_not_proved_is_told(version: Path, tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    """Each way in which the proof of a version can be missing or wrong has its sentence."""
    with pytest.raises(NotProvedError, match=reason):
        proved_decoder(with_other_proof(version, tmp_path / "1", **changes))


def test_a_version_that_is_not_proved_is_decoded_by_its_graph(
    version: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, the metric counts it, and images are predicted all the same."""
    folder = with_other_proof(version, tmp_path / "1", fixtures={"00.jpg": "sha256:0"})
    metrics = ModelServerMetrics(lambda _: True)
    with caplog.at_level(logging.INFO):
        model = LitertModel.load(folder, counts=metrics)
    assert isinstance(model.image_decoder, GraphImageDecoder)
    assert model.needs_tensorflow
    lines = [record.getMessage() for record in caplog.records]
    assert f"{folder}: TensorFlow decodes its images: its fixture 00.jpg becomes other pixels" in "\n".join(lines)
    labels = f'{{decoder="tensorflow",model_path="{folder}"}}'
    assert f"graft_modelserver_image_decoders_total{labels} 1.0" in shown(metrics)
    assert model.run("serving_default", {"image_bytes": strings([image(1)])})["valid"].all()


def test_a_manifest_that_cannot_be_read_proves_nothing(version: Path, tmp_path: Path) -> None:
    """A manifest of another kind is a reason, too."""
    folder = with_other_proof(version, tmp_path / "1")
    (folder / MANIFEST).write_text('{"name": "colours"}')
    with pytest.raises(NotProvedError, match="is not a model manifest"):
        proved_decoder(folder)


def test_a_fixture_of_another_kind_is_left_out(version: Path, tmp_path: Path) -> None:
    """A CMYK fixture is left to the graph, and the others still prove the rest."""
    folder = with_other_proof(version, tmp_path / "1")
    (folder / FIXTURES / "00.jpg").write_bytes(CMYK)
    assert isinstance(proved_decoder(folder), PixelDecoder)


def test_without_a_compiler_nothing_is_proved(version: Path) -> None:
    """Where the extension was not built, the version's graph decodes, and the reason is told."""
    code = """
import sys
from pathlib import Path
sys.modules["modelserver.engines.pixels.kernel"] = None
from modelserver.engines.pixels.errors import NotProvedError
from modelserver.engines.pixels.proof import proved_decoder
try:
    proved_decoder(Path(sys.argv[1]))
except NotProvedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(version)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "the resize was not compiled when Graft was installed; there was no C compiler\n"


def test_without_tensorflow_a_kind_is_not_offered(version: Path) -> None:
    """Where TensorFlow's library cannot be loaded, a CMYK image is refused in a sentence, and others are decoded."""

    def missing() -> GraphImageDecoder:
        raise LoadError("TensorFlow is not installed; LiteRT needs its library to decode images.")

    loaded = LitertModel.load(version)
    assert isinstance(loaded.image_decoder, ProvedImageDecoder)
    metrics = ModelServerMetrics(lambda _: True)
    decoder = ProvedImageDecoder(proved_decoder(version), loaded.image_decoder.labels, missing, metrics)
    with pytest.raises(BadInputError, match="The image is a CMYK JPEG, which is not offered here without TensorFlow"):
        decoder.pixels_of(CMYK)
    assert decoder.decode(CMYK).pixels is None
    assert decoder.decode(image(1)).pixels is not None


def shown(metrics: ModelServerMetrics) -> str:
    """Return the page of metrics."""
    return b"".join(metrics.page({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: lambda _: None)).decode()

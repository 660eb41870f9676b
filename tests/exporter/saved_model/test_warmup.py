"""Warmup records that a server would stumble over keep a version from being published."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from contract.serving_messages import PredictionLog, string_tensor
from contract.versions import WARMUP
from exporter.errors import ParityError
from exporter.saved_model.loading import run_as_serving_loads
from tests.exporter.conftest import Publication


def with_record(version: Path, target: Path, signature: str, key: str, values: list[bytes]) -> Path:
    """Copy a version, with another warmup file."""
    copy = shutil.copytree(version, target)
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs[key].CopyFrom(string_tensor(values))
    with tf.io.TFRecordWriter(str(copy / WARMUP)) as writer:
        writer.write(log.SerializeToString())
    return copy


@pytest.mark.parametrize(
    ("signature", "key"), [("serving", "image_bytes"), ("serving_default", "image"), ("serving_pixels", "image_bytes")]
)
def test_record_that_does_not_fit_is_refused(first: Publication, tmp_path: Path, signature: str, key: str) -> None:
    """A record for another signature or input is refused with both names."""
    copy = with_record(first.folder, tmp_path / "copy", signature, key, [b"image"])
    with pytest.raises(ParityError, match=f"A warmup record asks {signature} about {key}, which the model lacks"):
        run_as_serving_loads(copy, {})


def test_damaged_file_is_refused(first: Publication, tmp_path: Path) -> None:
    """A warmup file that is cut off is refused in a sentence."""
    copy = shutil.copytree(first.folder, tmp_path / "copy")
    content = (copy / WARMUP).read_bytes()
    (copy / WARMUP).write_bytes(content[: len(content) // 2])
    with pytest.raises(ParityError, match=r"the model fails \(.*\); nothing was published"):
        run_as_serving_loads(copy, {})


def test_records_of_a_published_version_fit(first: Publication) -> None:
    """The records that the export wrote are replayed without a word."""
    assert run_as_serving_loads(first.folder, {}) == {}

"""TFRecord files are read as TensorFlow reads them."""

from pathlib import Path

import pytest
import tensorflow as tf

from modelserver.versions.record_files import DamagedRecordError, records_of

RECORDS = [b"", b"one", bytes(range(256)) * 300]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that TensorFlow wrote."""
    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def test_what_tensorflow_writes_is_read(file: Path) -> None:
    """Every record comes out, an empty one too, and an empty file has none."""
    assert list(records_of(file)) == RECORDS
    file.write_bytes(b"")
    assert list(records_of(file)) == []


@pytest.mark.parametrize("position", [0, 9, 17, 30, -1], ids=["length", "its sum", "next", "record", "last sum"])
def test_a_changed_byte_is_found(file: Path, position: int) -> None:
    """Whichever byte was changed, the file is refused, as TensorFlow refuses it."""
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedRecordError, match="damaged"):
        list(records_of(file))
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(file)))


@pytest.mark.parametrize("left", [3, 11, 20, -2])
def test_a_file_that_ends_early_is_found(file: Path, left: int) -> None:
    """A file without its end is refused, wherever it ends."""
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(DamagedRecordError, match="it ends within the record at byte"):
        list(records_of(file))

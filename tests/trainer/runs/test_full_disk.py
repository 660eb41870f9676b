"""TensorFlow's error for a full disk, on a device that is always full."""

import errno
from pathlib import Path

import pytest
import tensorflow as tf

from exporter.saved_model.warmup import write_warmup
from trainer.runs.full_disk import full_disk_as_os_error

ALWAYS_FULL = Path("/dev/full")


@pytest.mark.skipif(not ALWAYS_FULL.exists(), reason="there is no device here that is always full")
def test_full_disk_is_an_os_error() -> None:
    """What TensorFlow cannot write because the disk is full fails as Python's own writing does, and names no file."""
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_warmup(ALWAYS_FULL, "colours", b"an image")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, None)


def test_other_exhaustion_comes_through_as_it_is() -> None:
    """TensorFlow has the same error for memory, which is not taken for the disk."""
    with pytest.raises(tf.errors.ResourceExhaustedError), full_disk_as_os_error():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[1000000]")

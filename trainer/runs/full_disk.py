"""A full disk, which TensorFlow reports in its own way."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def full_disk_as_os_error() -> Iterator[None]:
    """Turn TensorFlow's error for a full disk into Python's, which names no file and comes through to the user.

    Raises:
        OSError: there is no space left on the device, or of the user's quota.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:  # raised for memory too
        for code in (errno.ENOSPC, errno.EDQUOT):
            if os.strerror(code) in error.message:
                raise OSError(code, os.strerror(code)) from None  # this one survives the way to another process
        raise

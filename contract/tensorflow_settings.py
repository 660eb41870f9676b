"""What TensorFlow reads from the environment when it is imported, as our commands want it. Nothing is imported here."""

import logging
import os


def prepare_tensorflow() -> None:
    """Make TensorFlow fast where it can be, and silent about itself; whatever the user has set stays.

    Call it before TensorFlow is imported. Child processes inherit the environment, but not the log level.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow turns oneDNN on by itself only on processors with VNNI. Without VNNI it is two to three times as fast
    # too: MobileNetV2 at 224 pixels, a batch of 8, took 168 ms without it and 57 ms with it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

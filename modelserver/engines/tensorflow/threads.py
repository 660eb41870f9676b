"""TensorFlow's own threads, which are the same for every model of the process."""

import os

import tensorflow as tf


def start_graph_threads(intra_op: int = 0, inter_op: int = 0) -> None:
    """Start TensorFlow's runtime; to be called once, before anything is run.

    Its threads have the priority of the thread that calls this.

    Args:
        intra_op: threads that share one operation; 0 is `default_intra_op`.
        inter_op: operations that run at a time, which also bounds how many images are decoded at a time; 0 is one
            per processor.
    """
    tf.config.threading.set_intra_op_parallelism_threads(intra_op or default_intra_op(os.cpu_count() or 1))
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    tf.config.list_logical_devices()


def default_intra_op(processors: int) -> int:
    """Return half of the processors, at least one, where TensorFlow would take all.

    The second half of the threads mostly wait for the first in small operations, and concurrent requests compete for
    them: on two processors MobileNetV2 at 224 pixels took 20 ms an image with either number, but 32 against
    22 ms of processor time, and two runs side by side came to 63 against 93 images a second.
    """
    return max(processors // 2, 1)

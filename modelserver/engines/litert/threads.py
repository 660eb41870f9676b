"""How many threads work for a version whose network LiteRT runs."""

import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class EngineThreads:
    """Rows that are decoded and predicted at a time, and the threads that work for one of them."""

    rows_at_a_time: int
    for_one_row: int = 1

    @classmethod
    def for_this_machine(cls, intra_op: int = 0, inter_op: int = 0) -> Self:
        """Return sizes that keep every processor busy and none busy twice; `intra_op` and `inter_op` overrule them.

        One thread for each row costs least: a second one in the same network made MobileNetV2 at 224 pixels 1.05
        times as fast and cost 1.9 times the processor time on two processors.
        """
        processors = os.cpu_count() or 1
        for_one_row = intra_op or 1
        return cls(inter_op or max(processors // for_one_row, 1), for_one_row)

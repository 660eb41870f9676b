"""How much memory a call takes at most, as Linux counts it."""

from collections.abc import Callable
from pathlib import Path


def peak_mb_above_now(call: Callable[[], object]) -> float:
    """Return by how many megabytes the process's resident memory rose at most while `call` ran."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is used now
    before = _peak_mb()
    call()
    return _peak_mb() - before


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

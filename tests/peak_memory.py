"""How much memory a call takes at most, as Linux counts it."""

from collections.abc import Callable
from pathlib import Path


def peak_mb_above_now(call: Callable[[], object]) -> float:
    """Return by how many megabytes the process's resident memory rose at most while `call` ran."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is used now
    before = _peak_mb()
    call()
    return _peak_mb() - before


def peak_mb_of(process: int) -> Callable[[], float]:
    """Return a function that returns the most megabytes that another process has held resident since now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
    return lambda: _peak_mb(str(process))


def _peak_mb(process: str = "self") -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

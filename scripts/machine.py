"""What decides how this machine computes: its processor, and the settings that TensorFlow and others read.

For a test run's first lines. Imports nothing but Python's own library, so that it runs before anything is set up:
`python3 scripts/machine.py`.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")

_SETS = (
    *("sse4_2", "avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimd", "sve"),
)
"""Instruction sets, as Linux names them, with which float32 sums round differently, or oneDNN takes other kernels."""

_ONEDNN_BY_ITSELF = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
"""TensorFlow switches oneDNN on by itself on x86 processors with one of these."""

_VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
)


def describe(cpuinfo: Mapping[str, str], environment: Mapping[str, str], processors: int) -> Iterator[str]:
    """Yield a line on the processor, one on its instruction sets, and one on oneDNN; `cpuinfo` is one processor's."""
    model = cpuinfo.get("model name") or platform.processor() or platform.machine()
    yield f"Processor: {model}, {processors} to be used, {platform.system()} {platform.machine()}"
    flags = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    yield f"Instruction sets: {' '.join(name for name in _SETS if name in flags) or 'not known'}"
    yield f"oneDNN in TensorFlow: {_onednn(flags, environment.get('TF_ENABLE_ONEDNN_OPTS'))}"
    given = [f"{name}={environment[name]}" for name in _VARIABLES if name in environment]
    yield f"Environment: {' '.join(given) or 'none of ' + ', '.join(_VARIABLES)}"


def _onednn(flags: set[str], wanted: str | None) -> str:
    default = "on" if flags & _ONEDNN_BY_ITSELF else "off"
    if wanted is None:
        return f"{default}, as TensorFlow does by itself here (graft's own commands switch it on)"
    state = "off" if wanted in {"0", "false"} else "on"
    return f"{state}, as TF_ENABLE_ONEDNN_OPTS says (by itself it would be {default} here)"


def read_cpuinfo(text: str) -> dict[str, str]:
    """Return what Linux says of the first processor; empty where it says nothing."""
    first = text.split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def main() -> None:
    """Print it."""
    cpuinfo = read_cpuinfo(_CPUINFO.read_text()) if _CPUINFO.is_file() else _of_mac()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for line in describe(cpuinfo, os.environ, usable):
        sys.stdout.write(f"{line}\n")


def _of_mac() -> dict[str, str]:
    try:
        called = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return {"model name": subprocess.run(called, capture_output=True, text=True, check=True).stdout.strip()}
    except (OSError, subprocess.CalledProcessError):
        return {}


if __name__ == "__main__":
    main()

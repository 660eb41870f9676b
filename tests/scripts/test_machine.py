"""What a test run says of the machine before anything else."""

import re
import subprocess
import sys

import pytest

from scripts.machine import describe, read_cpuinfo
from tests.places import ROOT

CPUINFO = """processor\t: 0
model name\t: Example CPU @ 2 GHz
flags\t\t: fpu sse4_2 avx2 {flags} fma

processor\t: 1
model name\t: another
"""


def said(flags: str, **environment: str) -> list[str]:
    return list(describe(read_cpuinfo(CPUINFO.format(flags=flags)), environment, 2))


def test_processor_and_instruction_sets_come_first() -> None:
    """Of many flags those are named that change how sums are rounded."""
    processor, sets, *_ = said("avx512f avx512_vnni amx_tile")
    assert processor.startswith("Processor: Example CPU @ 2 GHz, 2 to be used, ")
    assert sets == "Instruction sets: sse4_2 avx2 fma avx512f avx512_vnni amx_tile"


@pytest.mark.parametrize(
    ("flags", "environment", "state"),
    [
        ("avx512_vnni", {}, "on, as TensorFlow does by itself here"),
        ("avx512f", {}, "off, as TensorFlow does by itself here"),
        ("avx_vnni", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "off, as TF_ENABLE_ONEDNN_OPTS says (by itself it would be on"),
        ("", {"TF_ENABLE_ONEDNN_OPTS": "1"}, "on, as TF_ENABLE_ONEDNN_OPTS says (by itself it would be off"),
    ],
)
def test_onednn_is_what_processor_and_environment_make_it(flags: str, environment: dict[str, str], state: str) -> None:
    """The environment decides; without it the processor's instruction sets."""
    assert said(flags, **environment)[2].startswith(f"oneDNN in TensorFlow: {state}")


def test_settings_that_change_sums_are_named() -> None:
    """Those that are set stand with their values, in one line."""
    assert said("", OPENBLAS_CORETYPE="Haswell", DNNL_MAX_CPU_ISA="AVX2", HOME="/root")[3] == (
        "Environment: DNNL_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell"
    )


def test_machine_without_any_of_it_is_described_too() -> None:
    """Another system's processor has lines as well."""
    assert [re.sub(":.*", "", line) for line in describe({}, {}, 1)] == [
        "Processor",
        "Instruction sets",
        "oneDNN in TensorFlow",
        "Environment",
    ]


def test_script_runs_by_itself_and_is_the_first_thing_that_ci_does() -> None:
    """It needs no installed package, and prints four lines."""
    command = [sys.executable, "-I", "-S", str(ROOT / "scripts" / "machine.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 4
    commands = (ROOT / ".ci" / "run").read_text().split('cd "$(dirname "$0")/.."\n')[1]
    assert commands.strip().startswith("python3 scripts/machine.py")

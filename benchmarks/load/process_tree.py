"""What a process and all that it started use: processor time and memory."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import psutil


class Mapping(NamedTuple):
    """What of one mapped file, or of `[heap]` and other memory without a file, is in memory for one process; bytes."""

    path: str
    private: int
    shared: int


class ProcessTree:
    """A process and its children, by the process's id."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._root = psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        """Return those that live, the first one first."""
        return [self._root, *self._root.children(recursive=True)]

    def cpu_by_process(self) -> dict[str, float]:
        """Return the processor seconds, user and system, that each has used so far, by what it is.

        A child that has ended is counted with its parent, once that has waited for it.
        """
        spent: dict[str, float] = defaultdict(float)
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                ended = times.children_user + times.children_system
                spent[role_of(process.cmdline())] += times.user + times.system + ended
        return dict(spent)

    def cpu_seconds(self) -> float:
        """Return the processor seconds that all of them have used so far."""
        return sum(self.cpu_by_process().values())

    def resident_mb(self) -> float:
        """Return the megabytes (10^6) of memory they hold; what they share with each other is counted once."""
        return resident_bytes(_mappings_of(process) for process in self.processes()) / 1e6

    def resident_mb_by_process(self) -> dict[str, float]:
        """Return the megabytes that each holds, by what it is; what they share is counted for each."""
        held: dict[str, float] = defaultdict(float)
        for process in self.processes():
            held[role_of(process.cmdline())] += resident_bytes([_mappings_of(process)]) / 1e6
        return dict(held)


def machine_cpu_seconds() -> float:
    """Return the seconds for which the machine's processors have been busy so far, also for its hypervisor's others."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - _counted_twice(times))


def _counted_twice(times: Any) -> float:
    """Return the time of guests, which Linux counts as user time too."""
    return float(getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0))


def resident_bytes(processes: Iterable[Iterable[Mapping]]) -> int:
    """Return the bytes of memory that processes hold together.

    Pages of one file, such as TensorFlow's library, that several of them map are taken to be the same pages: the most
    that one of them has counts. PSS would divide them by all processes of the machine that map them, so that a second
    TensorFlow, of somebody else, would make ours look smaller.
    """
    private = 0
    shared: dict[str, int] = defaultdict(int)
    for mappings in processes:
        own: dict[str, int] = defaultdict(int)
        for mapping in mappings:
            private += mapping.private
            if mapping.path.startswith("/"):
                own[mapping.path] += mapping.shared
            else:
                private += mapping.shared
        shared = defaultdict(int, {path: max(own[path], shared[path]) for path in own.keys() | shared.keys()})
    return private + sum(shared.values())


def role_of(command: list[str]) -> str:
    """Return what a process is by its command line: the verb of `graft`, or the module that Python runs."""
    if "-m" not in command[:-1]:
        return command[0].rpartition("/")[2] if command else "?"
    module, *rest = command[command.index("-m") + 1 :]
    return f"graft {rest[0]}" if module == "graft" and rest else module.rpartition(".")[2]


def _mappings_of(process: psutil.Process) -> list[Mapping]:
    maps: Any = getattr(process, "memory_maps", None)  # not on every system
    if maps is None:
        return [Mapping("[resident]", process.memory_info().rss, 0)]
    return [
        Mapping(each.path, each.private_clean + each.private_dirty, each.shared_clean + each.shared_dirty)
        for each in maps(grouped=True)
    ]

"""What a process and all that it started use: processor time and memory."""

import contextlib
import os
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
    """Processes, by id, and all that they started; this process is left out."""

    def __init__(self, pid: int, *others: int) -> None:
        self.pid = pid
        self._roots = [psutil.Process(each) for each in (pid, *others)]
        self._known: list[psutil.Process] = []

    def processes(self) -> list[psutil.Process]:
        """Return those that live, the first one first."""
        found: dict[int, psutil.Process] = {}
        for root in self._roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= {each.pid: each for each in (root, *root.children(recursive=True)) if each.pid != os.getpid()}
        self._known = list(found.values())
        return self._known

    def ended(self) -> bool:
        """Whether one of the processes that were named has ended."""
        return not all(root.is_running() and root.status() != psutil.STATUS_ZOMBIE for root in self._roots)

    def cpu_by_process(self) -> dict[str, float]:
        """Return the processor seconds, user and system, that each has used so far, by what it is.

        A child that has ended is counted with its parent, once that has waited for it.
        """
        spent: dict[str, float] = defaultdict(float)
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                ended = times.children_user + times.children_system
                spent[name_of(process)] += times.user + times.system + ended
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
            held[name_of(process)] += resident_bytes([_mappings_of(process)]) / 1e6
        return dict(held)

    def summed_mb(self) -> float:
        """Return the sum of what each process holds, shared or not, in 50 us a process; new children are left out."""
        held = 0
        for process in self._known or self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                held += process.memory_info().rss
        return held / 1e6


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
    """Return what a process is by its command line: the verb of `graft`, or the module or script that Python runs."""
    program, *given = [part.rpartition("/")[2] for part in command[:2]] or ["?"]
    if program.startswith("python") and given and not given[0].startswith("-"):  # as installed commands are started
        return f"graft {command[2]}" if given[0] == "graft" and len(command) > 2 else given[0]
    if "-m" not in command[:-1]:
        return program
    module, *rest = command[command.index("-m") + 1 :]
    return f"graft {rest[0]}" if module == "graft" and rest else module.rpartition(".")[2]


def name_of(process: psutil.Process) -> str:
    """Return what a process is, as far as this user may see it.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    try:
        return role_of(process.cmdline())
    except psutil.AccessDenied:
        return process.name()


def _mappings_of(process: psutil.Process) -> list[Mapping]:
    maps: Any = getattr(process, "memory_maps", None)  # not on every system
    try:
        if maps is not None:
            return [
                Mapping(each.path, each.private_clean + each.private_dirty, each.shared_clean + each.shared_dirty)
                for each in maps(grouped=True)
            ]
        return [Mapping("[resident]", process.memory_info().rss, 0)]
    except psutil.AccessDenied:  # the maps of another user's process
        return [Mapping("[resident]", process.memory_info().rss, 0)]
    except psutil.NoSuchProcess:
        return []

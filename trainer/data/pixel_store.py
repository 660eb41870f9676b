"""A store of rows of one shape, such as decoded images: in memory within a budget, else in an unnamed file."""

import os
import shutil
import tempfile
import threading
import weakref
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from contract.storage.unwritable import why_unwritable
from trainer.data.folders.walk import plain_name
from trainer.errors import StorageError

Scalar = TypeVar("Scalar", bound=np.generic)

_MEGABYTE = 2**20


class MemoryBudget:
    """The memory that all stores of a run share, first come, first served; may be used from any thread.

    `overflow` is the folder for what does not fit, the system's folder for temporary files if not given.
    """

    def __init__(self, megabytes: int, overflow: Path | None = None) -> None:
        self.megabytes = megabytes
        self.overflow = overflow or Path(tempfile.gettempdir())
        self._free = megabytes * _MEGABYTE
        self._lock = threading.Lock()

    def reserve(self, size: int) -> bool:
        """Reserve `size` bytes if they are left; return whether they were."""
        with self._lock:
            enough = size <= self._free
            self._free -= size if enough else 0
            return enough

    def release(self, size: int) -> None:
        """Release `size` bytes."""
        with self._lock:
            self._free += size


class PixelStore(Generic[Scalar]):
    """Rows of `shape` and `dtype`, in memory if the budget has room for all of them, else in a file.

    The file has no name and is deleted with the store. It is read piece by piece and not mapped: mapped pages count as
    memory of the process. `take` and `write` may be called from several threads at once.

    Raises:
        StorageError: there is not enough disk space, or the disk cannot be written.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], dtype: type[Scalar], budget: MemoryBudget) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._rows = rows
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        size = rows * self._row_bytes
        self.in_memory = budget.reserve(size)
        if self.in_memory:
            self._array: npt.NDArray[Scalar] | None = np.empty((rows, *shape), self.dtype)
            self._finish = weakref.finalize(self, partial(budget.release, size))
        else:
            self._array = None
            self._overflow, self._megabytes = budget.overflow, budget.megabytes
            self._file = _unnamed_file(size, budget)
            self._finish = weakref.finalize(self, partial(os.close, self._file))

    def __len__(self) -> int:
        return self._rows

    def write(self, start: int, rows: npt.NDArray[Any]) -> None:
        """Set the rows from number `start` on to `rows`, [B, *shape].

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        if start < 0 or start + len(rows) > self._rows or rows.shape[1:] != self.shape:
            raise IndexError(f"{rows.shape} from {start} do not fit {self._rows} rows of {self.shape}")
        if self._array is not None:
            self._array[start : start + len(rows)] = rows
            return
        content = np.ascontiguousarray(rows, self.dtype).reshape(-1).view(np.uint8).data
        try:
            _write_all(self._file, content, start * self._row_bytes)
        except OSError as error:
            raise StorageError(
                f"Decoded images or features cannot be kept: {why_unwritable(error, self._overflow, len(content))}; "
                f"{_remedy(self._megabytes)}."
            ) from error

    def take(self, index: npt.NDArray[np.int64]) -> npt.NDArray[Scalar]:
        """Return the rows with the numbers `index`, [B], as [B, *shape], in that order."""
        _refuse_outside("rows", self._rows, index)
        return self._read(index, self.shape) if self._array is None else self._array[index]

    def take_part(self, index: npt.NDArray[np.int64], part: npt.NDArray[np.int64]) -> npt.NDArray[Scalar]:
        """Return only the element `part`, [B], of each row of `index`, [B], as [B, *shape[1:]]."""
        _refuse_outside("rows", self._rows, index)
        _refuse_outside("parts of a row", self.shape[0], part)
        if self._array is not None:
            return self._array[index, part]
        return self._read(index * self.shape[0] + part, self.shape[1:])

    def keep_first(self, rows: int) -> None:
        """Drop all but the first `rows` rows; their space is not freed."""
        self._rows = min(self._rows, rows)

    def close(self) -> None:
        """Free memory and disk space; nothing can be taken or written afterwards."""
        self._rows = 0
        self._array = None
        self._finish()

    def _read(self, index: npt.NDArray[np.int64], shape: tuple[int, ...]) -> npt.NDArray[Scalar]:
        taken: npt.NDArray[Scalar] = np.empty((len(index), *shape), self.dtype)
        values = int(np.prod(shape, dtype=np.int64))
        _read_runs(self._file, index, taken.reshape(len(index), values).view(np.uint8))
        return taken


def _refuse_outside(what: str, count: int, index: npt.NDArray[np.int64]) -> None:
    if len(index) and not 0 <= index.min() <= index.max() < count:
        raise IndexError(f"there are {count} {what}, not those from {index.min()} to {index.max()}")


def _remedy(megabytes: int) -> str:
    return f"make room, set TMPDIR to another disk, or raise data.memory_budget_mb, now {megabytes}"


def _unnamed_file(size: int, budget: MemoryBudget) -> int:
    """Return a file descriptor with `size` bytes reserved on the disk."""
    where = f"{size / _MEGABYTE:,.0f} MB of decoded images or features in {plain_name(budget.overflow)}"
    remedy = _remedy(budget.megabytes)
    try:
        if size > (free := shutil.disk_usage(budget.overflow).free):
            raise StorageError(f"There is no room for {where}, where {free / _MEGABYTE:,.0f} MB are free; {remedy}.")
        with tempfile.TemporaryFile(prefix="graft-", dir=budget.overflow) as file:
            if size and hasattr(os, "posix_fallocate"):  # so that a full disk is noticed now, not after an hour
                os.posix_fallocate(file.fileno(), 0, size)
            return os.dup(file.fileno())
    except OSError as error:
        raise StorageError(f"There can be no file for {where} ({error.strerror}); {remedy}.") from error


def _write_all(file: int, content: memoryview, offset: int) -> None:
    while content:  # one call writes at most 2 GiB
        written = os.pwritev(file, [content], offset)
        content, offset = content[written:], offset + written


def _read_runs(file: int, rows: npt.NDArray[np.int64], into: npt.NDArray[np.uint8]) -> None:
    """Read these rows into `into`, uint8 [B, bytes of a row]; consecutive rows in one call."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for start, stop in zip([0, *breaks], [*breaks, len(rows)], strict=True):
        if start < stop:
            _read_all(file, into[start:stop].reshape(-1).data, int(rows[start]) * into.shape[1])


def _read_all(file: int, into: memoryview, offset: int) -> None:
    while into:
        read = os.preadv(file, [into], offset)
        if not read:
            raise EOFError("the file of a store is shorter than its rows")
        into, offset = into[read:], offset + read

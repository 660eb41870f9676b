"""Rows that lie in memory or in a file, and answer alike."""

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from trainer.data.pixel_store import MemoryBudget, PixelStore
from trainer.errors import StorageError

ROWS, SHAPE = 200, (7, 5, 3)


def filled(megabytes: int, dtype: type[np.generic] = np.uint8) -> PixelStore[np.generic]:
    """Return a store of numbered values, which a budget of 0 puts on the disk."""
    store = PixelStore(ROWS, SHAPE, dtype, MemoryBudget(megabytes))
    values = np.arange(ROWS * 105).reshape(ROWS, *SHAPE).astype(dtype)
    for start in range(0, ROWS, 32):
        store.write(start, values[start : start + 32])
    return store


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("index", [[0], [199, 0, 199], [5, 6, 7, 7, 8], list(range(200)), []])
def test_memory_and_file_answer_alike(dtype: type[np.generic], index: list[int]) -> None:
    """Rows come in the order that is asked for, repeated or not, of either type, from either place."""
    wanted = np.array(index, np.int64)
    in_memory, on_disk = filled(1, dtype), filled(0, dtype)
    assert (in_memory.in_memory, on_disk.in_memory) == (True, False)
    expected = np.arange(ROWS * 105).reshape(ROWS, *SHAPE).astype(dtype)[wanted]
    for store in (in_memory, on_disk):
        taken = store.take(wanted)
        assert (taken.dtype, taken.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize("megabytes", [0, 1])
def test_parts_of_rows_can_be_taken(megabytes: int) -> None:
    """Of each row one element can be taken without the others."""
    index, part = np.array([3, 3, 150, 4]), np.array([0, 6, 2, 0])
    store = filled(megabytes)
    np.testing.assert_array_equal(store.take_part(index, part), store.take(index)[np.arange(4), part])
    with pytest.raises(IndexError, match="there are 7 parts of a row, not those from 1 to 7"):
        store.take_part(index, part + 1)


@pytest.mark.parametrize("megabytes", [0, 1])
@pytest.mark.parametrize("index", [[-1], [200], [0, 1, 500]])
def test_rows_that_are_not_there_are_refused(megabytes: int, index: list[int]) -> None:
    """A row outside is an error in memory as on disk, and never somebody else's bytes."""
    with pytest.raises(IndexError, match="there are 200 rows, not those from"):
        filled(megabytes).take(np.array(index))


@pytest.mark.parametrize("megabytes", [0, 1])
def test_only_fitting_rows_are_written(megabytes: int) -> None:
    """Rows of another shape, or behind the last one, are refused."""
    store = filled(megabytes)
    for start, rows in ((199, np.zeros((2, *SHAPE))), (0, np.zeros((2, 7, 5))), (-1, np.zeros((1, *SHAPE)))):
        with pytest.raises(IndexError, match="do not fit 200 rows"):
            store.write(start, rows)


@pytest.mark.parametrize("megabytes", [0, 1])
def test_last_rows_can_be_forgotten(megabytes: int) -> None:
    """A store that was not filled ends where it was."""
    store = filled(megabytes)
    store.keep_first(10)
    assert len(store) == 10
    with pytest.raises(IndexError):
        store.take(np.array([10]))


def test_budget_is_shared_and_given_back() -> None:
    """Stores take their memory from one budget while there is some, and give it back when they are closed."""
    budget = MemoryBudget(3)
    first, second = (PixelStore(2, (2**20,), np.uint8, budget) for _ in range(2))
    assert (first.in_memory, second.in_memory) == (True, False)
    small = PixelStore(1, (2**20,), np.uint8, budget)
    assert small.in_memory
    first.close()
    first.close()
    assert [PixelStore(2, (2**20,), np.uint8, budget).in_memory for _ in range(2)] == [True, True]
    kept = [PixelStore(1, (2**20,), np.uint8, budget) for _ in range(3)]
    assert [store.in_memory for store in kept] == [True, True, False]


def test_file_is_gone_with_its_store(tmp_path: Path) -> None:
    """The file has no name, and no descriptor is left behind."""
    process = psutil.Process()
    before = process.num_fds()
    store = PixelStore(10, (1000,), np.uint8, MemoryBudget(0, tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert process.num_fds() == before + 1
    del store
    assert process.num_fds() == before


def test_rows_on_disk_are_no_memory() -> None:
    """300 MB that are written and read again leave the process as small as it was."""
    process = psutil.Process()
    rows = np.ones((30, 2**20), np.uint8)
    before = process.memory_info().rss
    store = PixelStore(300, (2**20,), np.uint8, MemoryBudget(10))
    for start in range(0, 300, 30):
        store.write(start, rows)
    for start in range(0, 300, 10):
        assert store.take(np.arange(start, start + 10)).all()
    assert process.memory_info().rss - before < 60 * 2**20


def test_many_threads_take_their_own_rows() -> None:
    """Threads that read at the same time do not get each other's rows."""
    store = filled(0, np.float32)
    random = np.random.default_rng(1)
    wanted = [random.integers(0, ROWS, 40) for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        for index, taken in zip(wanted, threads.map(store.take, wanted), strict=True):
            np.testing.assert_array_equal(taken[:, 0, 0, 0], index * 105)


def test_disk_without_room_is_told_before_the_work(tmp_path: Path) -> None:
    """What can never fit is refused at once, with what is needed, what there is, and what to do."""
    with pytest.raises(StorageError) as refused:
        PixelStore(10**6, (10**9,), np.uint8, MemoryBudget(7, tmp_path))
    message = str(refused.value)
    assert message.startswith("There is no room for 953,674,316 MB of decoded images or features in ")
    assert message.endswith("make room, set TMPDIR to another disk, or raise data.memory_budget_mb, now 7.")


def test_disk_that_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    """What the system says when a file may not grow becomes one clear sentence."""
    program = f"""
import resource, signal
from pathlib import Path
import numpy as np
from trainer.errors import StorageError
from trainer.data.pixel_store import MemoryBudget, PixelStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
small = PixelStore(10, (1000,), np.uint8, MemoryBudget(0, Path({str(tmp_path)!r})))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
for work in (
    lambda: small.write(0, np.ones((10, 1000), np.uint8)),
    lambda: PixelStore(100, (1000,), np.uint8, MemoryBudget(0, Path({str(tmp_path)!r}))),
):
    try:
        work()
    except StorageError as error:
        print(error)
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    written, made = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()
    assert written.startswith("Decoded images or features cannot be kept: A file in ")
    assert "would be larger than is allowed here" in written
    assert "make room, set TMPDIR to another disk, or raise data.memory_budget_mb" in written
    assert made.startswith("There can be no file for 0 MB of decoded images or features in ")
    assert "(File too large); make room" in made


def test_missing_folder_for_the_file_is_told(tmp_path: Path) -> None:
    """A folder that is not there is an error of the family, not a traceback."""
    with pytest.raises(StorageError, match=r"There can be no file for .*No such file or directory"):
        PixelStore(1, (1,), np.uint8, MemoryBudget(0, tmp_path / "gone"))


def test_no_rows_are_no_problem() -> None:
    """An empty store of either kind is empty."""
    for budget in (MemoryBudget(0), MemoryBudget(1)):
        store = PixelStore(0, (3,), np.uint8, budget)
        assert (len(store), store.take(np.empty(0, np.int64)).shape) == (0, (0, 3))

"""A Python that refuses to import TensorFlow or Keras: for `make test-fast`, which is quick because nothing does."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

REFUSED = ("keras", "tensorflow")


class TensorFlowWantedError(Exception):
    """No ImportError, which code that can do without TensorFlow would take for its absence."""


class ImportGuard(MetaPathFinder):
    """Finds nothing, and raises where TensorFlow is looked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise TensorFlowWantedError for TensorFlow and Keras; leave all else to others."""
        if fullname in REFUSED:
            raise TensorFlowWantedError(
                f"The tests of `make test-fast` import no {fullname}; name this file or folder in WITH_TENSORFLOW of "
                "tests/conftest.py, or let it do without."
            )
        return None


def refuse_tensorflow() -> None:
    """Refuse it in this process from now on."""
    sys.meta_path.insert(0, ImportGuard())

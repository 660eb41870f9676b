"""Graft in Python: `train`, `export` and `load` for notebooks, and the command line. Importing this imports nothing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graft.api import export, resume, train
    from graft.classifier import load
else:

    def __getattr__(name: str) -> object:
        """Import what is asked for when it is asked for: an import of Graft should cost no TensorFlow."""
        from importlib import import_module

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("graft.classifier" if name == "load" else "graft.api"), name)

    def __dir__() -> list[str]:
        """List the functions too that are not imported yet."""
        return sorted({*globals(), *__all__})


__all__ = ["export", "load", "resume", "train"]

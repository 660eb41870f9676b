"""Where the models of a configuration may lie."""

import os
from collections.abc import Iterable
from pathlib import Path

from modelserver.errors import NotAllowedError

_SHOWN = 200
"""Characters of a path in a message."""


class BasePathRoots:
    """Folders that base paths have to lie in, or be. Links and `..` are followed before they are compared."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = [Path(os.path.realpath(root)) for root in roots]

    def check(self, model_name: str, base_path: Path) -> None:
        """Refuse a base path elsewhere; reads the file system.

        Raises:
            NotAllowedError: it lies in none of the folders.
        """
        place = Path(os.path.realpath(base_path))
        if not any(place.is_relative_to(root) for root in self._roots):
            raise NotAllowedError(
                f"The base path {str(base_path)[:_SHOWN]} of model {model_name} lies outside of the folders that this "
                f"server may serve from ({', '.join(map(str, self._roots))}); nothing was changed. "
                "--base_path_roots names others."
            )

"""Whether the extension in C is there; without it tests of it skip, and one test fails where it could be built."""

import pytest

from modelserver.engines.pixels.resize import is_built

NOT_BUILT = "the extension in C is not built; `make setup` or `python setup.py build_ext --inplace` builds it"

needs_extension = pytest.mark.skipif(not is_built(), reason=NOT_BUILT)

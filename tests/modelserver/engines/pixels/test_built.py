"""The extension is there wherever it can be."""

import shutil

import pytest

from modelserver.engines.pixels.resize import is_built
from tests.modelserver.engines.pixels.extension import NOT_BUILT


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_where_there_is_a_compiler_the_extension_is_built() -> None:
    """Or all tests of it would be skipped, and images decoded by TensorFlow, in silence."""
    assert is_built(), NOT_BUILT

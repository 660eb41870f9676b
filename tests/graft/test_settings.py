"""Settings from the command line and the environment: what is wrong with one is a sentence that helps."""

import pytest

from gateway.settings import Settings
from graft.errors import CommandError
from graft.settings import make_settings


def test_a_setting_that_there_is_not_names_the_one_that_is_meant() -> None:
    """It is told from a value that does not fit."""
    with pytest.raises(
        CommandError, match=r"no setting keys_file; `graft settings` lists all\. Is api_keys_file meant\?"
    ):
        make_settings(Settings, models="flowers", keys_file="keys.json")
    with pytest.raises(CommandError, match=r"no setting zzz; `graft settings` lists all\.$"):
        make_settings(Settings, models="flowers", zzz=1)
    with pytest.raises(CommandError, match=r"The setting max_images does not fit: .*, not -1"):
        make_settings(Settings, models="flowers", max_images=-1)

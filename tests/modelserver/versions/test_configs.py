from pathlib import Path

import pytest

from modelserver.errors import SettingError
from modelserver.settings import ModelServerSettings
from modelserver.versions.configs import ModelConfig, VersionPolicy, model_configs


def _configs(folder: Path, models: str, *, allow: bool = True) -> list[ModelConfig]:
    file = folder / "models.config"
    file.write_text(f"model_config_list {{ {models} }}", encoding="utf-8")
    settings = ModelServerSettings(model_config_file=file, allow_version_labels_for_unavailable_models=allow)
    return model_configs(settings)


def _model(more: str = "", *, name: str = "flowers", base_path: str = "/models/flowers") -> str:
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}'


def test_flags_for_one_model_serve_its_newest_version(tmp_path: Path) -> None:
    """Without a file there is one model, of which the newest version is served."""
    settings = ModelServerSettings(model_name="flowers", model_base_path=tmp_path)
    assert model_configs(settings) == [ModelConfig("flowers", tmp_path, VersionPolicy(newest=1))]


def test_the_file_lists_several_models_in_its_order(tmp_path: Path) -> None:
    """Names, base paths and labels are as in the file, also names that are not ASCII."""
    labels = 'version_labels { key: "stable" value: 3 } version_labels { key: "canary" value: 4 }'
    configs = _configs(tmp_path, _model(labels) + _model(name="mod\\303\\250le", base_path="/models/b"))
    assert [(config.name, config.base_path, config.labels) for config in configs] == [
        ("flowers", Path("/models/flowers"), {"stable": 3, "canary": 4}),
        ("modèle", Path("/models/b"), {}),
    ]


def test_the_file_wins_over_the_flags_for_one_model(tmp_path: Path) -> None:
    """With a file, the name and the base path are ignored, which containers give by default."""
    file = tmp_path / "models.config"
    file.write_text(f"model_config_list {{ {_model()} }}", encoding="utf-8")
    settings = ModelServerSettings(model_name="model", model_base_path=Path("/models/model"), model_config_file=file)
    assert [config.name for config in model_configs(settings)] == ["flowers"]


def test_a_request_log_is_passed_over_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What TensorFlow Serving would log of requests is not logged here, and whoever wants it reads so."""
    _configs(tmp_path, _model("logging_config {}"))
    assert "logging_config of model flowers is ignored" in caplog.text


def test_the_older_way_to_name_the_platform_is_understood(tmp_path: Path) -> None:
    """`model_type: TENSORFLOW` stands for the platform."""
    (config,) = _configs(tmp_path, 'config { name: "a" base_path: "/a" model_type: TENSORFLOW }')
    assert config.name == "a"


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("", [12]),
        ("model_version_policy { latest {} }", [12]),
        ("model_version_policy { latest { num_versions: 2 } }", [12, 5]),
        ("model_version_policy { latest { num_versions: 9 } }", [12, 5, 3, 1]),
        ("model_version_policy { all {} }", [12, 5, 3, 1]),
        ("model_version_policy { specific { versions: 3 versions: 5 versions: 7 } }", [5, 3]),
        ("model_version_policy { specific {} }", []),
    ],
    ids=["none", "latest", "latest 2", "latest 9", "all", "specific", "specific none"],
)
def test_a_policy_says_which_versions_are_wanted(tmp_path: Path, policy: str, wanted: list[int]) -> None:
    """Of the published versions 1, 3, 5 and 12 the policy wants these, newest first."""
    (config,) = _configs(tmp_path, _model(policy))
    assert config.policy.wanted([1, 3, 5, 12]) == wanted


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ("", "lists no model"),
        (_model() + _model(), "Illegal to list model flowers multiple times in config list"),
        (_model(base_path="models/flowers"), r"Expected model flowers to have an absolute path or URI; got .*=models/"),
        (_model(name=""), "The model at /models/flowers has no name"),
        ('config { name: "a" base_path: "/a" }', "neither model_type.* nor model_platform for model a"),
        ('config { name: "a" base_path: "/a" model_platform: "torch" }', "Model a requests unsupported platform torch"),
        ("nonsense: 1", 'is not a ModelServerConfig in text form: .* has no field named "nonsense"'),
    ],
    ids=["empty", "twice", "relative", "no name", "no platform", "platform", "field"],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, models: str, sentence: str) -> None:
    """What cannot be served is refused with one sentence that says what was seen."""
    with pytest.raises(SettingError, match=sentence):
        _configs(tmp_path, models)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    settings = ModelServerSettings(model_config_file=tmp_path / "none.config")
    with pytest.raises(SettingError, match=r"none\.config cannot be read: No such file or directory\."):
        model_configs(settings)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are no configuration."""
    (tmp_path / "models.config").write_bytes(b"\xff\xfe")
    settings = ModelServerSettings(model_config_file=tmp_path / "models.config")
    with pytest.raises(SettingError, match="is not a ModelServerConfig in text form"):
        model_configs(settings)


def test_labels_need_their_flag(tmp_path: Path) -> None:
    """As with the real server, labels in the file are refused unless the flag allows them."""
    labelled = _model('version_labels { key: "stable" value: 3 }')
    with pytest.raises(SettingError, match="--allow_version_labels_for_unavailable_models=true"):
        _configs(tmp_path, labelled, allow=False)


def test_settings_without_any_model_are_refused() -> None:
    """A server needs a base path or a file."""
    with pytest.raises(ValueError, match="give --model_base_path for one model, or --model_config_file for several"):
        ModelServerSettings(model_name="flowers")

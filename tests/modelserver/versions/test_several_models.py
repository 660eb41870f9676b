"""Several models and several versions in one server."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from contract import serving_messages as messages

POLICIES = {
    "newest": "",
    "two": "model_version_policy { latest { num_versions: 2 } }",
    "every": "model_version_policy { all {} }",
    "chosen": "model_version_policy { specific { versions: 1 versions: 9 } } "
    'version_labels { key: "stable" value: 1 } version_labels { key: "next" value: 9 }',
}
FACTORS = {1: 2.0, 2: 3.0, 3: 2.0, 4: 3.0}


@pytest.fixture
def base_path(tmp_path: Path, publish: Callable[..., Path]) -> Path:
    """A base path with versions 1 to 3."""
    for version in (1, 2, 3):
        publish(tmp_path / "scale", version, FACTORS[version])
    return tmp_path / "scale"


@pytest.fixture
def client(base_path: Path, start_server: Callable[..., Any], eventually: Callable[..., None]) -> Any:
    """A client of a server that serves the base path under the name of each policy."""
    configs = [
        f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {policy} }}'
        for name, policy in POLICIES.items()
    ]
    file = base_path.with_name("models.config")
    file.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    started = start_server(model_config_file=file, allow_version_labels_for_unavailable_models=True)
    for name, versions in {"newest": [3], "two": [2, 3], "every": [1, 2, 3], "chosen": [1]}.items():
        eventually(lambda name=name, versions=versions: _served(started, name) == versions)
    return started


def _served(client: Any, name: str) -> list[int]:
    return sorted(version for version, (state, _) in client.states(name).items() if state == "AVAILABLE")


def _send(client: Any, x: npt.NDArray[np.float32], name: str, **choice: Any) -> tuple[int, float]:
    """Return which version answered, and the factor it multiplied with."""
    spec = messages.ModelSpec(name=name, **choice)
    response = client.predict({"x": x}, name=name, model_spec=spec)
    assert response.model_spec.version_label == ""
    return response.model_spec.version.value, response.outputs["y"].float_val[0] / x[0]


def _rejection(client: Any, x: npt.NDArray[np.float32], name: str, **choice: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        _send(client, x, name, **choice)
    error: Any = caught.value  # also a grpc.Call, which the stubs do not know
    return error.code(), error.details()


def test_each_model_serves_the_versions_of_its_policy(client: Any, x: npt.NDArray[np.float32]) -> None:
    """Requests get the newest served version, or the one they name; no other model's version answers."""
    assert [_send(client, x, name) for name in POLICIES] == [(3, 2.0), (3, 2.0), (3, 2.0), (1, 2.0)]
    assert _send(client, x, "every", version={"value": 2}) == (2, 3.0)
    assert _send(client, x, "two", version={"value": 2}) == (2, 3.0)
    gone = _rejection(client, x, "newest", version={"value": 2})
    assert gone == (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(newest, 2)")


def test_a_label_stands_for_its_version(client: Any, x: npt.NDArray[np.float32]) -> None:
    """A label finds its version; one whose version is not served, or of another model, is refused."""
    assert _send(client, x, "chosen", version_label="stable") == (1, 2.0)
    waiting = _rejection(client, x, "chosen", version_label="next")
    assert waiting == (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(chosen, 9)")
    for name in ("every", "nosuch"):
        unknown = _rejection(client, x, name, version_label="stable")
        assert unknown == (grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: stable")


def test_versions_come_and_go_as_each_policy_says(
    client: Any, base_path: Path, publish: Callable[..., Path], eventually: Callable[..., None]
) -> None:
    """A new version ends the oldest where two are served; one that is removed ends where all are served."""
    publish(base_path, 4, FACTORS[4])
    eventually(lambda: _served(client, "two") == [3, 4])
    eventually(lambda: _served(client, "every") == [1, 2, 3, 4])
    eventually(lambda: _served(client, "newest") == [4])
    assert client.states("two")[2] == ("END", "")
    assert _served(client, "chosen") == [1]
    shutil.rmtree(base_path / "2")
    eventually(lambda: _served(client, "every") == [1, 3, 4])
    assert client.states("every")[2] == ("END", "")


def test_a_broken_version_harms_neither_its_neighbours_nor_other_models(
    client: Any, base_path: Path, publish: Callable[..., Path], eventually: Callable[..., None]
) -> None:
    """Where the newest version cannot be loaded, all others are served on, and each status says so."""
    publish(base_path, 4, FACTORS[4], lambda folder: (folder / "saved_model.pb").unlink())
    for name, still in {"newest": [3], "two": [3], "every": [1, 2, 3], "chosen": [1]}.items():
        if name != "chosen":
            eventually(lambda name=name: client.states(name).get(4, ("", ""))[0] == "END")
        eventually(lambda name=name, still=still: _served(client, name) == still)


def test_a_chosen_version_that_comes_later_is_served(
    client: Any,
    base_path: Path,
    publish: Callable[..., Path],
    eventually: Callable[..., None],
    x: npt.NDArray[np.float32],
) -> None:
    """A version that the policy names, and a label too, is served as soon as it is published."""
    publish(base_path, 9, 3.0)
    eventually(lambda: _served(client, "chosen") == [1, 9])
    assert _send(client, x, "chosen", version_label="next") == (9, 3.0)
    assert _send(client, x, "chosen") == (9, 3.0)

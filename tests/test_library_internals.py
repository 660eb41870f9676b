"""Private parts of libraries: which are used, and that one module for each library is all that knows them.

A library may change what it does not document in any version. So each part is named here, its use stands in one
module, and pyproject.toml caps the version; whoever raises the cap finds out here what has to be looked at.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.places import ROOT

PRODUCT = ("contract", "lineage", "trainer", "exporter", "modelserver", "gateway", "graft")
OF_NAMED_TUPLES = {"_replace", "_asdict", "_fields", "_make", "_field_defaults"}
OF_THE_STANDARD_LIBRARY = {"os._exit"}


@dataclass(frozen=True)
class Internals:
    """What one module uses of a library that does not document it.

    `parts` are attributes by the object that has them; `modules` are those that only this module may import.
    """

    library: str
    adapter: str
    parts: dict[str, tuple[str, ...]]
    modules: tuple[str, ...] = ()


TABLE = (
    Internals(
        "uvicorn",
        "gateway/http/uvicorn_internals.py",
        {
            "HttpToolsProtocol": (
                *("connection_made", "data_received", "connection_lost"),
                *("eof_received", "on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body"),
                *("on_message_complete", "on_response_complete", "send_400_response"),
                *("connections", "cycle", "parser", "pipeline", "scope", "transport", "url"),
            ),
            "Server": (
                *("startup", "on_tick", "shutdown", "handle_exit", "capture_signals"),
                *("started", "should_exit", "force_exit", "server_state"),
            ),
        },
        modules=("uvicorn.protocols",),
    ),
    Internals(
        "grpcio-channelz",
        "gateway/backend/channelz.py",
        {"ChannelzServicer": ("GetTopChannels", "GetChannel", "GetSubchannel")},  # as functions, without a server
        modules=("grpc_channelz",),
    ),
    Internals(
        "keras",
        "trainer/models/keras_internals.py",
        {
            "Functional": ("_nodes_by_depth", "_flatten_layers"),
            "Adam": ("_get_variable_index", "_model_variables_moving_average"),
        },
    ),
    # the exporter knows nothing of the trainer's models, so it has its own module
    Internals("keras", "exporter/saved_model/keras_layers.py", {"Functional": ("_nodes_by_depth", "_flatten_layers")}),
    Internals(
        "tensorflow-cpu",
        "modelserver/engines/tensorflow/internals.py",
        {"tensorflow": ("CancellationManager", "execute_with_cancellation", "function_call_options")},
        modules=("tensorflow.python", "tensorflow.core", "tensorflow.compiler"),
    ),
    Internals(
        "tensorflow-cpu",
        "exporter/saved_model/tensorflow_internals.py",
        {"tensorflow": ("saved_model_pb2", "convert_variables_to_constants_v2")},
        modules=("tensorflow.python", "tensorflow.core", "tensorflow.compiler"),
    ),
)
LIGHT = {"uvicorn", "grpcio-channelz"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield the path and the tree of every module of the product."""
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def is_private(name: str) -> bool:
    """Return whether a name is private by its underscore; a magic method's is not."""
    return name.startswith("_") and not name.startswith("__") and name.isidentifier() and name != "_"


def own_names(tree: ast.Module) -> set[str]:
    """Return the names that a module itself defines: classes, functions, variables, attributes and slots."""
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            own.add(node.attr)
    return own


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def foreign_attributes(tree: ast.Module) -> set[str]:
    """Return the private attributes that a module uses of what it does not define itself, also those named in text."""
    own = own_names(tree) | OF_NAMED_TUPLES
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            if ast.unparse(node) not in OF_THE_STANDARD_LIBRARY:
                found.add(node.attr)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr", "setattr", "delattr"}:
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found |= {text for text in texts if is_private(text) and text not in own}
    return found


def imported(tree: ast.Module) -> set[str]:
    """Return everything that a module imports, with dots: modules, and names out of them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_private_attributes_are_used_in_one_module_each() -> None:
    """No module but those of the table uses an underscore attribute of a library, and the table names each of them."""
    named = {row.adapter: {each for names in row.parts.values() for each in names if is_private(each)} for row in TABLE}
    used = {path: found for path, tree in trees() if (found := foreign_attributes(tree))}
    assert used == {adapter: names for adapter, names in named.items() if names}


def test_internal_modules_are_imported_in_one_module_each() -> None:
    """What lies inside a library is imported by its one module only; nobody imports a name with an underscore."""
    wrong = []
    for path, tree in trees():
        allowed = [inner for row in TABLE if row.adapter == path for inner in row.modules]
        inside = [inner for row in TABLE for inner in row.modules if inner not in allowed]
        for name in imported(tree):
            if any(f"{name}.".startswith(f"{inner}.") for inner in inside) or ".src." in f"{name}.":
                wrong.append(f"{path} imports {name}")
            if any(is_private(part) for part in name.split(".")):
                wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_classes_of_uvicorn_are_inherited_from_in_one_module() -> None:
    """Only the adapter makes subclasses of uvicorn's own classes; others inherit from the adapter's."""
    heirs = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & {"uvicorn.Server", "Server"}
    }
    assert heirs == {"gateway/http/uvicorn_internals.py"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.adapter)
def test_a_module_uses_all_that_is_named_of_it(row: Internals) -> None:
    """What the table names is in the module's source: a part that is used no more leaves the table."""
    source = (ROOT / row.adapter).read_text()
    named = [each for names in row.parts.values() for each in names]
    assert [each for each in named if not re.search(rf"\b{each}\b", source)] == []


def lowest_and_cap(library: str) -> list[Requirement]:
    """Return what pyproject.toml asks of a library, wherever it does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    return [found for found in map(Requirement, lines) if found.name == library]


def pinned(library: str) -> Version:
    """Return the version of a library in constraints.txt."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name.lower().replace("_", "-") == library:
            return Version(version)
    raise AssertionError(f"constraints.txt does not pin {library}")


@pytest.mark.parametrize("library", sorted({row.library for row in TABLE} | {"tensorflow"}))
def test_its_version_is_capped(library: str) -> None:
    """Each requirement of such a library has an upper bound, and the pinned version lies below it."""
    called = lowest_and_cap(library)
    assert called
    for requirement in called:
        assert any(bound.operator == "<" for bound in requirement.specifier), requirement
        assert pinned(library) in requirement.specifier


def missing(row: Internals, makers: dict[str, Callable[[], Any]]) -> list[str]:
    """Return what the installed library lacks of what is named."""
    objects = {name: makers[name]() for name in row.parts}
    return [f"{name}.{each}" for name, parts in row.parts.items() for each in parts if not hasattr(objects[name], each)]


def make_protocol() -> Any:
    """Return uvicorn's connection, which nothing is connected to."""
    import asyncio  # noqa: PLC0415 - as below: only what is looked at is loaded

    import uvicorn  # noqa: PLC0415
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415
    from uvicorn.server import ServerState  # noqa: PLC0415

    async def app(scope: object, receive: object, send: object) -> None:
        """Answer nothing."""

    async def make() -> HttpToolsProtocol:
        config = uvicorn.Config(app, log_config=None)
        protocol = HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        protocol.on_message_begin()  # a request has attributes of its own
        return protocol

    return asyncio.run(make())


def make_server() -> Any:
    """Return uvicorn's server, which serves nothing."""
    import uvicorn  # noqa: PLC0415

    return uvicorn.Server(uvicorn.Config("nothing:app", log_config=None))


def channelz_servicer() -> Any:
    """Return gRPC's class."""
    from grpc_channelz.v1.channelz import ChannelzServicer  # type: ignore[attr-defined]  # noqa: PLC0415

    return ChannelzServicer


@pytest.mark.parametrize("row", [row for row in TABLE if row.library in LIGHT], ids=lambda row: row.library)
def test_the_installed_library_has_what_is_used(row: Internals) -> None:
    """Every attribute that is named exists in the installed version of the gateway's libraries."""
    makers = {"HttpToolsProtocol": make_protocol, "Server": make_server, "ChannelzServicer": channelz_servicer}
    assert missing(row, makers) == []


def make_network() -> Any:
    """Return a functional model of Keras with one layer inside."""
    import keras  # noqa: PLC0415

    given = keras.Input((2,))
    return keras.Model(given, keras.layers.Dense(1)(given))


def make_optimizer() -> Any:
    """Return Adam with averages, built for one variable."""
    import keras  # noqa: PLC0415

    optimizer = keras.optimizers.Adam(use_ema=True)
    optimizer.build([keras.Variable([1.0])])
    return optimizer


def tensorflow_names() -> Any:
    """Return those of TensorFlow as attributes."""
    from types import SimpleNamespace  # noqa: PLC0415

    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415
    from tensorflow.python.eager import context, execute  # noqa: PLC0415
    from tensorflow.python.eager.cancellation import CancellationManager  # noqa: PLC0415
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: PLC0415

    return SimpleNamespace(
        saved_model_pb2=saved_model_pb2,
        convert_variables_to_constants_v2=convert_variables_to_constants_v2,
        CancellationManager=CancellationManager,
        execute_with_cancellation=execute.execute_with_cancellation,
        function_call_options=context.context().function_call_options,
    )


@pytest.mark.parametrize("row", [row for row in TABLE if row.library not in LIGHT], ids=lambda row: row.adapter)
def test_the_installed_keras_and_tensorflow_have_what_is_used(row: Internals) -> None:
    """Every attribute that is named exists in the installed versions of Keras and TensorFlow."""
    makers = {"Functional": make_network, "Adam": make_optimizer, "tensorflow": tensorflow_names}
    assert missing(row, makers) == []


def test_a_private_attribute_elsewhere_is_seen() -> None:
    """The look at a module finds attributes of others, by dot or by text, and lets its own and named tuples' pass."""
    source = (
        "class Mine(Theirs):\n    def __init__(self):\n        self._own = 1\n"
        "    def use(self, other):\n        self._inherited.inc(self._own)\n        other._replace(x=1)\n"
        "        other._set = getattr(other, '_named')\n"
    )
    assert foreign_attributes(ast.parse(source)) == {"_inherited", "_set", "_named"}

"""The verb `check`: what is compared is found and opened, and what was found is printed."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from contract.manifest import ModelManifest
from contract.publish import read_version
from exporter.check.bundles import TfliteFile, files_in_bundles, recorded_files
from exporter.check.images import images_in
from exporter.check.predictor import VersionPredictor
from exporter.check.remote_predictors import CheckedServer, Gateway
from exporter.check.report import CheckReport
from exporter.check.server_client import ServerClient
from graft.actions.check_table import print_report
from graft.actions.default_lineage import default_lineage
from graft.actions.embedded_server import EmbeddedModelServer
from graft.actions.given.arguments import given_version
from graft.tables import wide_console
from lineage.errors import LineageError, NotRecordedError
from lineage.records import LiteFileRecord
from trainer.errors import RunNotFoundError
from trainer.progress import TerminalProgress
from trainer.runs.record import find_run_by_id
from trainer.tensorflow_start import start_tensorflow


@dataclass(frozen=True)
class CheckRequest:
    """What the command line asks for."""

    version: Path
    runs: Path
    data: Path | None = None
    server: str | None = None
    gateway: str | None = None
    bundles: Sequence[Path] = ()
    as_json: bool = False
    api_key: str | None = None


def run_check(request: CheckRequest) -> bool:
    """Compare all that serves a version, print what was found, and return whether no bound was broken.

    Raises:
        ContractError: there is no version, or its files were changed.
        CheckError: a server cannot be reached, or is another model.
        CommandError: the embedded model server does not start.
    """
    request = replace(request, version=given_version(request.version))
    manifest = read_version(request.version)
    images = images_in(request.data) if request.data else None
    lite_files, notes = _lite_files(request, manifest)
    console = wide_console(to_stderr=request.as_json)
    with ExitStack() as stack, TerminalProgress(console) as progress:
        servers = _Servers(request, manifest, stack)
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from exporter.check.version_check import VersionCheck, check_version  # takes seconds

        check = VersionCheck(request.version, manifest, _run_folder(request, manifest), lite_files, images)
        report = check_version(check, servers.predictors, progress).with_notes(notes)
    if request.as_json:
        sys.stdout.write(TypeAdapter(CheckReport).dump_json(report, indent=2).decode() + "\n")
    else:
        print_report(report, console)
    return report.passed


class _Servers:
    """The model server and the gateway. Those that were given are proved now; our own is only started."""

    def __init__(self, request: CheckRequest, manifest: ModelManifest, stack: ExitStack) -> None:
        self._manifest = manifest
        self._stack = stack
        self._own: EmbeddedModelServer | None = None
        self._proved: list[CheckedServer | Gateway] = []
        if request.server:
            self._proved.append(self._server(request.server, f"server {request.server}"))
        if request.gateway:
            self._proved.append(stack.enter_context(Gateway(request.gateway, manifest, request.api_key)))
        for given in self._proved:
            given.prove_identity()
        if not request.server:
            base_path = stack.enter_context(_base_path_of(request.version, manifest))
            self._own = stack.enter_context(EmbeddedModelServer({manifest.name: base_path}))

    def predictors(self) -> list[VersionPredictor]:
        """Wait until our own server is ready, and return all of them."""
        if self._own is None:
            return [*self._proved]
        own = self._server(self._own.address(), "server, our own")
        own.await_version()
        own.prove_identity()
        return [own, *self._proved]

    def _server(self, address: str, name: str) -> CheckedServer:
        client = self._stack.enter_context(ServerClient(address, self._manifest.name))
        return CheckedServer(client, self._manifest, name)


@contextmanager
def _base_path_of(version: Path, manifest: ModelManifest) -> Iterator[Path]:
    """Yield a base path with this version alone: a server would load the highest one, which may be another."""
    with tempfile.TemporaryDirectory(prefix="graft-check-") as folder:
        (Path(folder) / str(manifest.version)).symlink_to(version.resolve(), target_is_directory=True)
        yield Path(folder)


def _run_folder(request: CheckRequest, manifest: ModelManifest) -> Path | None:
    try:
        return find_run_by_id(manifest.run, request.runs)
    except RunNotFoundError:  # the check goes without it, and says so
        return None


def _lite_files(request: CheckRequest, manifest: ModelManifest) -> tuple[list[TfliteFile], list[str]]:
    given = files_in_bundles(request.bundles, manifest)
    recorded, notes = _recorded_lite_files(manifest)
    by_place = {file.path.resolve(): file for file in [*recorded_files(recorded), *given]}
    return list(by_place.values()), notes


def _recorded_lite_files(manifest: ModelManifest) -> tuple[Sequence[LiteFileRecord], list[str]]:
    """Return the TFLite files that the lineage knows of this version, and what kept it from telling."""
    try:
        with default_lineage(create=False) as lineage:
            ancestry = lineage.ancestry_of_version(manifest.name, manifest.version, manifest.digest)
    except NotRecordedError:
        return (), []
    except LineageError as error:
        return (), [f"TFLite files in the lineage are not compared: {error}"]
    return ancestry.export.lite_files, []

"""The verb `check`: who is compared, found and opened."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from contract.manifest import ModelManifest
from contract.publish import read_version
from exporter.check.bundles import LiteFile, files_in_bundles, recorded_files
from exporter.check.images import PictureSet, pictures_in
from exporter.check.predictor import Answerer
from exporter.check.remote_predictors import Gateway, RunningServer
from exporter.check.report import CheckReport
from exporter.check.server_client import ServerClient
from graft.actions.check_table import print_report
from graft.actions.default_lineage import default_lineage
from graft.actions.embedded_server import EmbeddedModelServer
from graft.tables import wide_console
from lineage.errors import LineageError, NotRecordedError
from lineage.records import LiteFileRecord
from trainer.data.folder_walk import plain_name
from trainer.errors import RunNotFoundError
from trainer.progress import Progress, TerminalProgress
from trainer.runs.record import find_run
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
    """Compare all that serves a version, print what was found, and return whether nobody broke a bound.

    Raises:
        ContractError: there is no version, or its files were changed.
        CheckError: somebody cannot be asked, or is another model.
        CommandError: the embedded model server does not start.
    """
    manifest = read_version(request.version)
    pictures = pictures_in(request.data) if request.data else None
    console = wide_console(to_stderr=request.as_json)
    with ExitStack() as stack, TerminalProgress(console) as progress:
        lite_files, notes = _lite_files(request, manifest)
        remote = _Remote(request, manifest, stack)
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        report = _compare(request, manifest, pictures, remote, lite_files, notes, progress)
    if request.as_json:
        sys.stdout.write(TypeAdapter(CheckReport).dump_json(report, indent=2).decode() + "\n")
    else:
        print_report(report, console)
    return report.passed


class _Remote:
    """The model server and the gateway; given ones are proved now, our own is only started."""

    def __init__(self, request: CheckRequest, manifest: ModelManifest, stack: ExitStack) -> None:
        self._manifest = manifest
        self._stack = stack
        self._own: EmbeddedModelServer | None = None
        self._proved: list[RunningServer | Gateway] = []
        if request.server:
            self._proved.append(self._server(request.server, f"server {request.server}"))
        if request.gateway:
            self._proved.append(stack.enter_context(Gateway(request.gateway, manifest, request.api_key)))
        for given in self._proved:
            given.prove_identity()
        if not request.server:
            base_path = stack.enter_context(_base_path_of(request.version, manifest))
            self._own = stack.enter_context(EmbeddedModelServer(manifest.name, base_path, log=subprocess.DEVNULL))

    def answerers(self) -> list[Answerer]:
        """Wait until our own server is ready, and return all of them."""
        if self._own is None:
            return [*self._proved]
        own = self._server(self._own.address(), "server, our own")
        own.await_version()
        own.prove_identity()
        return [own, *self._proved]

    def _server(self, address: str, who: str) -> RunningServer:
        client = self._stack.enter_context(ServerClient(address, self._manifest.name))
        return RunningServer(client, self._manifest, who)


@contextmanager
def _base_path_of(version: Path, manifest: ModelManifest) -> Iterator[Path]:
    """Yield a base path with this version alone: a server would load the highest one, which may be another."""
    with tempfile.TemporaryDirectory(prefix="graft-check-") as folder:
        (Path(folder) / str(manifest.version)).symlink_to(version.resolve(), target_is_directory=True)
        yield Path(folder)


def _compare(
    request: CheckRequest,
    manifest: ModelManifest,
    pictures: PictureSet | None,
    remote: _Remote,
    lite_files: Sequence[LiteFile],
    notes: list[str],
    progress: Progress,
) -> CheckReport:
    from exporter.check.compare import OTHER_PICTURES_BOUND, Part, compare_answers
    from exporter.check.local_predictors import RecordedAnswers, SavedModel, TrainedModel, given_fixtures
    from exporter.check.tflite_predictors import mobile_answers, network_answers
    from trainer.runs.trained_model import read_run

    progress.on_work("opening the models", 3)
    recorded, saved = RecordedAnswers(request.version, len(manifest.labels)), SavedModel(request.version)
    progress.on_step()
    run = _find_run(request, manifest, notes)
    trained = TrainedModel(read_run(run), manifest.image_input) if run else None
    progress.on_step()
    first: Answerer = trained or recorded
    others: list[Answerer] = [*network_answers(request.version, manifest), *remote.answerers()]
    others += [mobile_answers(file, manifest) for file in lite_files]
    parts = [Part("fixtures", recorded.pictures, first, [saved, *others])]
    for title, more in (("given fixtures", given_fixtures(request.version)), ("pictures", pictures)):
        if more:
            compared = [saved, *others] if trained else others
            parts.append(Part(title, more, trained or saved, compared, OTHER_PICTURES_BOUND))
    progress.on_step()
    found = compare_answers(parts, [first, saved, *others], manifest.labels, manifest.image_input, progress)
    return CheckReport(
        name=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        pictures=found.pictures,
        rows=found.rows(),
        notes=(*notes, *_on_passed_over(pictures), *found.notes),
    )


def _find_run(request: CheckRequest, manifest: ModelManifest, notes: list[str]) -> Path | None:
    try:
        return find_run(manifest.run, request.runs)
    except RunNotFoundError:
        instead = "the answers recorded with the fixtures are the reference"
        instead += ", and the SavedModel for other pictures"
        notes.append(f"The run {manifest.run} is not under {request.runs} (see --runs); {instead}.")
        return None


def _lite_files(request: CheckRequest, manifest: ModelManifest) -> tuple[list[LiteFile], list[str]]:
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


def _on_passed_over(pictures: PictureSet | None) -> list[str]:
    if not pictures or not pictures.passed_over:
        return []
    first = pictures.passed_over[0]
    named = f"{plain_name(first.path.relative_to(pictures.root))}, {first.reason}"
    return [f"Passed over in --data: {len(pictures.passed_over)}, the first of them {named}."]

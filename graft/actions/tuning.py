"""`graft up --tune`: measures which batch sizes suit a model on this machine, and writes a parameters file."""

from collections.abc import Sequence
from pathlib import Path

from contract.storage.unwritable import naming_folder
from contract.tensorflow_settings import prepare_tensorflow
from contract.versions import published_versions
from graft.actions.given.arguments import refuse_as_parent
from graft.actions.up.models import only_model
from graft.errors import CommandError
from graft.settings import make_settings
from graft.tables import plain_table, print_line, wide_console
from trainer.tensorflow_start import start_tensorflow

FILE_NAME = "batching_parameters.txt"

_SECONDS = 20.0
_SECONDS_PER_POINT = 0.5


def tune_batching(models: Path, names: Sequence[str] = (), engine: str = "auto") -> Path:
    """Measure the newest version of one model, print the results, write the parameters and return the file.

    Raises:
        CommandError: there is no such model, or it has no warm-up request.
        ServingError: it cannot be loaded, or its graph rejects that request.
    """
    refuse_as_parent(models, "--models")
    name = only_model(models, names)
    versions = published_versions(models / name)
    prepare_tensorflow()
    from modelserver.batching.tuning import choose, sentence
    from modelserver.batching.version_tuning import curve_of, sample_call
    from modelserver.engines.selection import Engines
    from modelserver.engines.tensorflow.start import TensorFlowStart
    from modelserver.settings import ModelServerSettings

    folder = models / name / str(versions[-1])
    settings = make_settings(ModelServerSettings, model_base_path=folder.parent, engine=engine)
    model = Engines(settings, TensorFlowStart(settings, start_tensorflow).ensure).load(folder)
    sample = sample_call(model, folder)
    if sample is None or not sample.rows():
        raise CommandError(f"{folder} has no warm-up request to measure with; `graft export` adds some.")
    console = wide_console()
    print_line(console, f"Measuring {folder} with {model.engine}, for at most {_SECONDS:.0f} seconds.")
    points = []
    with console.status("warming up") as status:
        for point in curve_of(model, sample, _SECONDS, _SECONDS_PER_POINT):
            points.append(point)
            status.update(f"{point.rows_per_second:.0f} rows/s in batches of {point.rows}, {point.threads} threads")
    columns = ("threads", "batch size", "rows/s", "ms per batch")
    rows = [
        (f"{point.threads}", f"{point.rows}", f"{point.rows_per_second:.0f}", f"{point.batch_seconds * 1e3:.1f}")
        for point in points
    ]
    console.print(plain_table(columns, rows, to_the_right=columns))
    chosen = choose(points)
    file = models / FILE_NAME
    with naming_folder(models):
        file.write_text(chosen.to_text(), encoding="utf-8")
    print_line(console, sentence(points, chosen))
    print_line(console, f"Written to {file}; use it with --enable_batching --batching_parameters_file.")
    return file

"""The verbs `predict` and `evaluate` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from contract.tensorflow_settings import prepare_tensorflow
from graft.errors import GATE_SAID_NO, CommandError
from graft.verbs.check import ApiKey

Images = Annotated[
    list[str], typer.Argument(help="Image files, folders, patterns such as '*.jpg', URLs, or - for standard input.")
]
Url = Annotated[str, typer.Option(help="The gateway's URL.")]
Model = Annotated[str | None, typer.Option(help="The model.  [default: the gateway's default one]")]
Version = Annotated[int | None, typer.Option(min=1, help="The version.  [default: the newest]")]
TopK = Annotated[int, typer.Option(min=1, help="How many of the most likely labels are written for each image.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV with a header.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write to this file; .json and .csv need no other option.")
]

Evaluated = Annotated[
    str, typer.Argument(metavar="VERSION|URL", help="models/NAME/VERSION, a model's name for its newest, or a gateway.")
]
Labelled = Annotated[Path, typer.Argument(help="A folder with a sub-folder of images for each class.")]
Models = Annotated[Path, typer.Option(help="The folder of published models.")]
Page = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page, such as report.html.")]


def predict(
    images: Images,
    url: Url = "http://127.0.0.1:8000",
    model: Model = None,
    version: Version = None,
    top_k: TopK = 1,
    as_json: Json = False,
    as_csv: Csv = False,
    out: Out = None,
    api_key: ApiKey = None,
) -> None:
    """Send images to a running gateway, and write a prediction for each.

    Images that have none are listed on standard error, and the exit code is 1 then.
    """
    from graft.actions.predict.requests import GatewayTarget
    from graft.actions.predict.run import PredictImages, predict_images

    if as_json and as_csv:
        raise CommandError("The predictions are written as JSON or as CSV: give --json or --csv, not both.")
    out = None if out == Path("-") else out  # as in `-` for standard input
    suffix = out.suffix.lower() if out else ""
    form = "json" if as_json else "csv" if as_csv else {".json": "json", ".csv": "csv"}.get(suffix, "table")
    query = {"model": model, "version": version, "top_k": top_k}
    gateway = GatewayTarget(url, api_key, {name: value for name, value in query.items() if value is not None})
    if not predict_images(PredictImages(images, gateway, form, top_k, out)):  # type: ignore[arg-type]
        raise SystemExit(GATE_SAID_NO)


def evaluate(
    version_or_url: Evaluated,
    folder: Labelled,
    models: Models = Path("models"),
    model: Model = None,
    version: Version = None,
    as_json: Json = False,
    out: Page = None,
    api_key: ApiKey = None,
) -> None:
    """Say how good a version is on other labelled images, beside its own test.

    Images without a prediction are listed on standard error, and the exit code is 1 then.
    """
    prepare_tensorflow()
    from graft.actions.evaluate.run import EvaluateVersion, evaluate_version

    wanted = EvaluateVersion(version_or_url, folder, models, model, version, api_key, as_json, out)
    if not evaluate_version(wanted):
        raise SystemExit(GATE_SAID_NO)

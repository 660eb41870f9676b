"""The verb `probe` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from graft.errors import GATE_SAID_NO, CommandError

Url = Annotated[str, typer.Argument(help="The gateway's URL, as callers use it.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="A model to probe; can be repeated.  [default: the gateway's]")
]
Image = Annotated[Path | None, typer.Option(help="The image to send.  [default: one that is drawn]")]
Folder = Annotated[
    Path | None,
    typer.Option("--models", help="The folder of published models: send the newest version's fixture, and compare."),
]
Label = Annotated[str | None, typer.Option("--expect-label", help="The label that has to be predicted.")]
Tolerance = Annotated[
    float, typer.Option(min=0, max=1, help="How far a probability may be from that of the fixture, or of the first.")
]
Interval = Annotated[float, typer.Option(min=1, help="Seconds between two probes.")]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds that a probe may take.")]
Once = Annotated[bool, typer.Option("--once", help="Probe once, without metrics; the exit code is 1 if it fails.")]
Host = Annotated[str, typer.Option(help="Address to show metrics at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to show metrics at; 0 takes a free one.")]
KeyFile = Annotated[Path | None, typer.Option(help="A file with the API key; read anew for each probe.")]
Authorities = Annotated[
    Path | None, typer.Option("--ca", help="A PEM file with the authorities to trust.  [default: the system's]")
]


def probe(
    url: Url,
    models: Models = None,
    image: Image = None,
    folder: Folder = None,
    expect_label: Label = None,
    tolerance: Tolerance = 0.01,
    interval: Interval = 60.0,
    timeout: Timeout = 10.0,
    once: Once = False,
    host: Host = "127.0.0.1",
    port: Port = 9105,
    api_key_file: KeyFile = None,
    ca: Authorities = None,
) -> None:
    """Predict an image again and again as a caller would, over name, TLS and load balancer, and show metrics of it.

    Each probe is a line of JSON. Ends with Ctrl-C.
    """
    from graft.actions.probe.run import ProbeSettings, probe_once, probe_until_stopped
    from graft.actions.probe.sending import checked_target

    if folder is not None and not models:
        raise CommandError("--models needs the name of the model, whose folder is in it: add --model NAME.")
    if folder is not None and not folder.is_dir():
        raise CommandError(f"There is no folder {folder}; --models takes the folder with a sub-folder for each model.")
    if folder is not None and image is not None:
        raise CommandError("The image comes from --image or from --models: give one of them.")
    settings = ProbeSettings(
        target=checked_target(url, timeout, api_key_file, ca),
        models=models or [],
        image=image,
        folder=folder,
        expect_label=expect_label,
        tolerance=tolerance,
        interval_seconds=interval,
        host=host,
        port=port,
    )
    if not once:
        probe_until_stopped(settings)
    elif not probe_once(settings):
        raise SystemExit(GATE_SAID_NO)

"""The verb `bench` on the command line."""

import math
from pathlib import Path
from typing import Annotated

import typer

from graft.errors import GATE_SAID_NO, CommandError
from graft.verbs.check import ApiKey

Url = Annotated[str, typer.Argument(help="The URL of a running gateway, or of another service with --protocol.")]
Images = Annotated[
    list[str], typer.Argument(help="Image files, folders, patterns such as '*.jpg', URLs, or - for standard input.")
]
Clients = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Closed loops: so many clients each, which send again when they have a response.  [default: 1,8,32]",
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        metavar="R,R,...",
        help="Open loops: so many requests a second arrive at random, whether or not others have a response; their "
        "latency counts from when they were due.",
    ),
]
Seconds = Annotated[float, typer.Option(help="How long each load lasts.")]
WarmUp = Annotated[float, typer.Option(help="How long to send before anything is measured; 0 does not.")]
Protocol = Annotated[
    str,
    typer.Option(
        help="native (POST /v1/predict), tensorflow (TensorFlow Serving's REST), open-inference (V2), or raw (the "
        "image as the body, to the URL as it is)."
    ),
]
Model = Annotated[str | None, typer.Option(help="The model.  [default: the gateway's default one]")]
Version = Annotated[int | None, typer.Option(min=1, help="The version.  [default: the newest]")]
Input = Annotated[str, typer.Option("--input", help="The model's input, with --protocol open-inference.")]
Timeout = Annotated[float, typer.Option(help="Seconds after which a request without a response has failed.")]
Pids = Annotated[
    list[int] | None,
    typer.Option(
        "--pid",
        min=1,
        help="A process of the service, whose processor time and memory are measured with those of all that it "
        "started; can be repeated.  [default: what listens at the URL's port, on this machine]",
    ),
]
Authorities = Annotated[
    Path | None, typer.Option("--ca", help="A PEM file with the authorities to trust.  [default: the system's]")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]

_DEFAULT_CLIENTS = (1, 8, 32)
_MOST_CLIENTS, _MOST_RATE, _MOST_REQUESTS, _MOST_SECONDS = 10_000, 100_000, 10_000_000, 86_400


def bench(
    url: Url,
    images: Images,
    clients: Clients = None,
    rate: Rate = None,
    seconds: Seconds = 10.0,
    warm_up: WarmUp = 2.0,
    protocol: Protocol = "native",
    model: Model = None,
    version: Version = None,
    input_name: Input = "image_bytes",
    timeout: Timeout = 30.0,
    pids: Pids = None,
    as_json: Json = False,
    api_key: ApiKey = None,
    ca: Authorities = None,
) -> None:
    """Measure how fast a running service predicts images, and what that costs on this machine.

    Exits with 1 if a request failed. Ctrl-C prints what was measured until then.
    """
    from graft.actions.bench.protocols import BenchProtocol, RequestForm
    from graft.actions.bench.run import BenchSettings, run_bench
    from graft.actions.bench.target import target_of

    if protocol not in list(BenchProtocol):
        raise CommandError(f"--protocol takes {', '.join(BenchProtocol)}, not {protocol}.")
    _check_between("--seconds", seconds, 0.1, _MOST_SECONDS)
    _check_between("--warm-up", warm_up, 0, _MOST_SECONDS)
    _check_between("--timeout", timeout, 0.001, _MOST_SECONDS)
    rates = [_rate(each, seconds) for each in _listed(rate)]
    counts = [_count(each) for each in _listed(clients)] or ([] if rates else list(_DEFAULT_CLIENTS))
    form = RequestForm(BenchProtocol(protocol), model, version, input_name)
    target = target_of(url, form, api_key, ca, timeout)
    settings = BenchSettings(target, images, counts, rates, seconds, warm_up, pids or (), as_json)
    if not run_bench(settings):
        raise SystemExit(GATE_SAID_NO)


def _listed(given: str | None) -> list[str]:
    return [] if given is None else [each.strip() for each in given.split(",")]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= _MOST_CLIENTS):
        raise CommandError(f"--clients takes numbers from 1 to {_MOST_CLIENTS}, such as 1,8,32; not {text!r}.")
    return int(text)


def _rate(text: str, seconds: float) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= _MOST_RATE:
        raise CommandError(f"--rate takes requests a second, up to {_MOST_RATE}, such as 20 or 20,50; not {text!r}.")
    if rate * seconds > _MOST_REQUESTS:
        raise CommandError(
            f"--rate {text} for --seconds {seconds:g} is more than {_MOST_REQUESTS} requests; lower one."
        )
    return rate


def _check_between(option: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # not a number is not
        raise CommandError(f"{option} takes seconds from {least:g} to {most:g}, not {value:g}.")

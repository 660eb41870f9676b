"""What a running server makes of a version that was just published or withdrawn, and a warning where it hangs.

TensorFlow Serving tries a version that it cannot load again for five minutes, and with one load thread
(`--num_load_threads`, 1 by default) a good newer version waits for that. Nothing else tells the person who exports.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from exporter.errors import CheckError
from trainer.progress import Progress

if TYPE_CHECKING:
    from exporter.check.server_client import ReportedVersion

WATCHED_SECONDS = 10.0
_INTERVAL_SECONDS = 0.25
_COMING = frozenset({"START", "LOADING"})


def watch_published(address: str, model: str, version: int, progress: Progress, seconds: float) -> None:
    """Say whether the server at `address`, HOST:PORT, comes to serve a new version within some seconds, or why not."""

    def is_decided(versions: "Sequence[ReportedVersion]") -> bool:
        return any(each.version == version and each.state in {"AVAILABLE", "END"} for each in versions)

    versions = _watch(address, model, is_decided, progress, seconds)
    if versions is None:
        return
    state = next((each for each in versions if each.version == version), None)
    if state is not None and state.state == "AVAILABLE":
        progress.on_note(f"The model server at {address} serves version {version}.")
    elif state is not None and state.state == "END":
        why = state.error or "it was ended without a reason"
        progress.on_note(f"Warning: the model server at {address} could not load version {version}: {why}.")
    else:
        seen = "has not begun with" if state is None else "is still loading"
        progress.on_note(f"Warning: after {seconds:.0f} s the model server at {address} {seen} version {version}.")
    _warn_of_others(address, model, [each for each in versions if each.version != version], progress)


def watch_withdrawn(address: str, model: str, version: int, progress: Progress, seconds: float) -> None:
    """Say whether the server at `address` lets go of a withdrawn version within some seconds, and what else hangs."""

    def is_decided(versions: "Sequence[ReportedVersion]") -> bool:
        return all(each.state == "END" for each in versions if each.version == version)

    versions = _watch(address, model, is_decided, progress, seconds)
    if versions is None:
        return
    if is_decided(versions):
        progress.on_note(f"The model server at {address} does not hold version {version} any more.")
    else:
        state = next(each.state for each in versions if each.version == version)
        progress.on_note(
            f"Warning: after {seconds:.0f} s version {version} is still {state} at the model server {address}. If it "
            "does not end soon, restart that server: it may keep other versions waiting."
        )
    _warn_of_others(address, model, [each for each in versions if each.version != version], progress)


def _warn_of_others(address: str, model: str, others: "Sequence[ReportedVersion]", progress: Progress) -> None:
    for each in others:
        if each.state in _COMING:
            progress.on_note(
                f"Warning: the model server at {address} is busy with version {each.version} ({each.state}). If that "
                "one cannot be loaded, the server tries it again for minutes, and another version may have to wait; "
                f"take it back with `graft withdraw models/{model}/{each.version} --why TEXT`, and start TensorFlow "
                "Serving with --num_load_threads=2."
            )
        elif each.state == "END" and each.error:
            progress.on_note(
                f"Note: the model server at {address} could not load version {each.version}: {each.error}."
            )


def _watch(
    address: str,
    model: str,
    is_decided: "Callable[[Sequence[ReportedVersion]], bool]",
    progress: Progress,
    seconds: float,
) -> "Sequence[ReportedVersion] | None":
    """Return the versions once that is decided, or after `seconds`; None if the server cannot be asked, with a note."""
    from exporter.check.server_client import ServerClient  # gRPC and NumPy, which only this needs

    progress.on_work(f"watching the model server at {address}", 1)
    ends = time.monotonic() + seconds
    with ServerClient(address, model) as client:
        try:
            while not is_decided(versions := client.versions(seconds)) and time.monotonic() < ends:
                time.sleep(_INTERVAL_SECONDS)
        except CheckError as error:
            progress.on_note(f"Warning: what a server makes of it is not known. {error}")
            return None
    return versions

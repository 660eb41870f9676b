"""What `graft up` says: three lines once it serves, and before that only what takes long or fails."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence

from contract.plain_text import plain_text
from exporter.errors import CheckError
from gateway.main import Listening
from graft.actions.up.readiness import Look, SeenModel

_logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_SURE_SECONDS = 2.0
"""How long a model has to look as if no version could be loaded: between two tries it does for a moment."""
_PATIENCE_SECONDS, _NEXT_WORD_SECONDS = 10.0, 30.0
_DEFAULT_URL = "http://127.0.0.1:8000"


class Announcement:
    """Waits in a thread until every model is served or cannot be, and says so; `on_none` is called if none can.

    What takes longer than `patience_seconds` from now is named before.
    """

    def __init__(self, on_none: Callable[[], None], patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._on_none = on_none
        self._patience = patience_seconds
        self._began = time.monotonic()

    def begin(self, listening: Listening, look: Look) -> threading.Thread:
        """Wait for what `look` sees, in the thread that is returned."""
        waiting = threading.Thread(target=self._run, args=[listening, look], daemon=True)
        waiting.start()
        return waiting

    def _run(self, listening: Listening, look: Look) -> None:
        try:
            seen = self._decided(look)
        except CheckError:  # the model server has ended, which is said elsewhere
            return
        served = [each for each in seen if each.is_ready]
        for each in seen:
            if not each.is_ready:
                _logger.error("%s", _failed(each.name, bool(served)))
        if served:
            say(*_lines(listening, served))
        else:
            self._on_none()

    def _decided(self, look: Look) -> Sequence[SeenModel]:
        """Return the models once each is served, or has failed for long enough."""
        next_word, certain_at = self._began + self._patience, float("inf")
        while True:
            seen, now = look(), time.monotonic()
            awaited = [each.name for each in seen if not each.is_ready and not each.has_failed]
            certain_at = min(certain_at, now + _SURE_SECONDS) if not awaited else float("inf")
            if all(each.is_ready for each in seen) or now >= certain_at:
                return seen
            if awaited and now >= next_word:
                _say_what_takes_long(awaited, now - self._began)
                next_word = now + _NEXT_WORD_SECONDS
            time.sleep(_LOOK_SECONDS)


def say(*lines: str) -> None:
    """Write to standard output at once."""
    text = "".join(f"{plain_text(line)}\n" for line in lines)
    sys.stdout.write(text)  # in one: unbuffered, a log line could come between the text and its end
    sys.stdout.flush()


def _lines(listening: Listening, served: Sequence[SeenModel]) -> list[str]:
    operations = f" (metrics and health at {listening.operations_url})" if listening.operations_url else ""
    versions = [f"{each.name} version {', '.join(map(str, each.versions))}" for each in served]
    local = listening.url.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//[::1]")
    url = "" if local == _DEFAULT_URL else f" --url {local}"
    return [
        f"Serving at {listening.url}{operations}",
        f"Model{'s' * (len(versions) > 1)}: {'; '.join(versions)}",
        f"Ctrl-C stops it. Try: graft predict IMAGE{url}",
    ]


def _failed(name: str, others: bool) -> str:
    return f"{name} is not served: no version of it can be loaded, for the reason that the model server gave above." + (
        " It is tried again when its folder changes; the other models are served." if others else ""
    )


def _say_what_takes_long(names: Sequence[str], seconds: float) -> None:
    text = f"Still loading {', '.join(names)}, for {seconds:.0f} s so far."
    if sys.stderr.isatty():
        sys.stderr.write(f"{plain_text(text)}\n")
        sys.stderr.flush()
    else:
        _logger.info("%s", text)

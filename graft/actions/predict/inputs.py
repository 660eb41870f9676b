"""What the arguments of `graft predict` stand for: files, folders, patterns, URLs, and standard input."""

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from graft.errors import CommandError, ImageRefusedError
from trainer.data.folders.walk import walk

STANDARD_INPUT = "-"
_URL = re.compile(r"\A([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_FETCHED = {"http", "https"}
_WILDCARDS = "*?["
_MOST_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Input:
    """An image that was named; `read` returns its bytes, or raises ImageRefusedError with one sentence."""

    name: str
    read: Callable[[], bytes]


def inputs_of(arguments: Sequence[str]) -> list[Input]:
    """Return the images that the arguments stand for, in their order; those of a folder or pattern are sorted.

    A file that is not there is one of them, and refused when it is read: the others are predicted.

    Raises:
        CommandError: a folder has no images, a pattern fits nothing, or standard input is named twice.
    """
    if arguments.count(STANDARD_INPUT) > 1:
        raise CommandError("Standard input (-) can be read once; it is named several times.")
    return [found for argument in arguments for found in _inputs_of(argument)]


def _inputs_of(argument: str) -> Iterator[Input]:
    if argument == STANDARD_INPUT:
        yield Input(argument, _standard_input)
    elif scheme := _URL.match(argument):
        if scheme[1].lower() not in _FETCHED:
            raise CommandError(
                f"{argument} is not fetched: a URL starts with http:// or https://, and a file has none."
            )
        yield Input(argument, lambda: _fetch(argument))
    elif Path(argument).is_dir():
        yield from _images_in(Path(argument))
    elif not Path(argument).exists() and any(mark in argument for mark in _WILDCARDS):
        yield from _matching(argument)
    else:
        yield file_input(Path(argument))


def _images_in(folder: Path) -> Iterator[Input]:
    found = walk(folder)
    if not found.images:
        raise CommandError(f"There is no image in the folder {folder}: no file is JPEG, PNG, BMP or WebP by its name.")
    missed = {each.path: each.reason for each in found.skipped if each.may_be_images}
    for path in sorted([*found.images, *missed]):
        yield _missed(path, missed[path]) if path in missed else file_input(path)


def _matching(pattern: str) -> Iterator[Input]:
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    places = [Path(each) for each in sorted(found)]
    if not places:
        raise CommandError(f"No file fits the pattern {pattern}.")
    for place in places:
        if place.is_dir():
            yield from _images_in(place)
        elif place.is_file() or place.is_symlink():  # a pipe that a pattern happens to fit would be waited for
            yield file_input(place)


def _missed(path: Path, reason: str) -> Input:
    def refuse() -> bytes:
        raise ImageRefusedError(f"It was skipped: {reason}.")

    return Input(str(path), refuse)


def file_input(path: Path) -> Input:
    """Return a file as an image, whether it is there or not."""

    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise ImageRefusedError(f"It cannot be read: {error.strerror}.") from error

    return Input(str(path), read)


def _standard_input() -> bytes:
    """Read it all, without the lock of `sys.stdin`: one that is waiting for it would abort Python at its end."""
    with open(0, "rb", buffering=0, closefd=False) as stream:
        return stream.read()


def _fetch(url: str) -> bytes:
    content = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_SECONDS) as response:
            if not response.is_success:
                raise ImageRefusedError(f"Its server responds with {response.status_code} {response.reason_phrase}.")
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise ImageRefusedError(f"It has more than {_MOST_BYTES} bytes.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ImageRefusedError(f"It cannot be fetched: {error or type(error).__name__}.") from error
    return bytes(content)

"""`GET /` and the files that the page loads: static, with a policy that forbids whatever is not among them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response

from gateway.errors import NoSuchPathError
from gateway.http.routing import OpenPlainRoute, authorize

_FOLDER = Path(__file__).parent / "files"
_START = "index.html"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_ACCEPTED = frozenset({"text/html", "text/*", "*/*"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",  # kept, but only used after it was found to be the current one
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class _File:
    """A file of the page, in memory."""

    content: bytes
    headers: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "_File":
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, {**_HEADERS, "Content-Type": _MEDIA_TYPES[path.suffix], "ETag": tag})

    def response(self, request: Request, **more: str) -> Response:
        """Return the file, or 304 if the caller has it."""
        headers = {**self.headers, **more}
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if known & {headers["ETag"], "*"}:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers)


def page_routes() -> list[OpenPlainRoute]:
    """Return the routes of `GET /` and of its files, open to all: they have nothing that a key protects.

    `/` is only there for whoever accepts HTML. Any other path, and `/` for others, is what an unknown path is.
    """
    files = {path.name: _File.read(path) for path in _FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}

    async def show_page(request: Request) -> Response:
        if not _accepts_html(request):
            await _refuse(request)
        return files[_START].response(request, Vary="Accept")

    async def show_file(request: Request) -> Response:
        name = request.path_params["file"]
        if name == _START or name not in files:
            await _refuse(request)
        return files[name].response(request)

    return [
        OpenPlainRoute("/", show_page, methods=["GET"], include_in_schema=False),
        OpenPlainRoute("/page/{file}", show_file, methods=["GET"], include_in_schema=False),
    ]


def _accepts_html(request: Request) -> bool:
    accepted = ",".join(request.headers.getlist("accept")) or "*/*"
    return not _ACCEPTED.isdisjoint(each.partition(";")[0].strip().lower() for each in accepted.split(","))


async def _refuse(request: Request) -> None:
    """Refuse a request as one for a path without a route: only who may predict learns that it is not there."""
    await authorize(request.scope, "predict")
    raise NoSuchPathError(f"There is nothing at {request.url.path[:50]}.")

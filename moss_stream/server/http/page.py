"""`GET /`: a page to listen to the server with. Its files are read once; no request names one on disk."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter
from fastapi.responses import Response

from moss_stream.server.http.problems import Problem

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_FILES = {path.name: path.read_bytes() for path in resources.files(__package__).joinpath("static").iterdir()}
# The types of the operating system's own list differ from one machine to the next.
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/")
async def index() -> Response:
    """Return the page."""
    return _file("index.html")


@router.get("/page/{name}")
async def part(name: str) -> Response:
    """Return a part of the page."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise Problem(404, "not_found", "The page has no such part.")
    return Response(_FILES[name], media_type=_TYPES[name.rpartition(".")[2]], headers=_HEADERS)

"""Static files under ASGI: read in full, compressed once, cached by browsers until they change."""

import gzip
import hashlib
import re
from functools import cache, lru_cache
from typing import Any

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

#: Smaller files are not compressed.
MIN_COMPRESSED_BYTES = 512
#: RFC 8246: a URL with a hash of the content never changes.
IMMUTABLE = "public, max-age=31536000, immutable"
_VERSIONED = re.compile(r"/(v[0-9a-f]{12})/")


@cache
def version() -> str:
    """The hash of all static files in their URLs: ``v`` and twelve digits. Modules import each other by relative URLs,
    so one folder for all files needs no rewriting."""
    digest = hashlib.sha256()
    for finder in finders.get_finders():
        for name, storage in sorted(finder.list([]), key=lambda entry: str(entry[0])):
            with storage.open(name) as file:
                content = file.read()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"v{digest.hexdigest()[:12]}"


class VersionedStorage(StaticFilesStorage):
    """``{% static %}`` with the version: ``/static/v0123456789ab/dashboard/js/main.js``."""

    def url(self, name: str | None) -> str:
        """The URL of a file."""
        return super().url(f"{version()}/{name}")


@lru_cache(maxsize=512)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise that returns the bytes of a file instead of a file iterator, which ASGI would have to consume in a
    thread."""

    def __call__(  # type: ignore[override]  # the middleware is called with a request, its base by a WSGI server
        self, request: HttpRequest
    ) -> HttpResponseBase:
        """Serves a file under any version, since a page may be older than the server; only the current version is
        cached."""
        path = request.path_info
        versioned = _VERSIONED.match(path, len(self.static_prefix) - 1) if path.startswith(self.static_prefix) else None
        if versioned is not None:
            path = self.static_prefix + path[versioned.end() :]
        file = self.files.get(path)
        if file is None:
            other: HttpResponseBase = self.get_response(request)
            return other
        response = self.serve(file, request)
        if versioned is not None and versioned[1] == version():
            response["Cache-Control"] = IMMUTABLE
        return response

    @staticmethod
    def serve(  # type: ignore[override]  # the middleware answers a request, its base a WSGI server
        static_file: Any, request: HttpRequest
    ) -> HttpResponse:
        """The file, compressed if the browser accepts gzip; 304 if the browser has it."""
        served = static_file.get_response(request.method, request.META)
        content = b""
        if served.file is not None:
            with served.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(served.status))
        del response["Content-Type"]
        for name, value in served.headers:
            response[name] = value
        text = response.get("Content-Type", "").startswith(("text/", "image/svg", "application/json"))
        if response.status_code == 200 and text and "Content-Encoding" not in response:
            response["Vary"] = "Accept-Encoding"
            if len(content) >= MIN_COMPRESSED_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
                response.content = _compressed(content)
                response["Content-Encoding"] = "gzip"
                response["Content-Length"] = str(len(response.content))
        return response

"""Serves static files under ASGI. Each file is read whole and compressed once; browsers cache it until any file
changes."""

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

#: Files smaller than this are not compressed.
MIN_COMPRESSED_BYTES = 512
#: The Cache-Control of a URL that contains a hash of the content, which never changes (RFC 8246).
IMMUTABLE = "public, max-age=31536000, immutable"
_VERSIONED = re.compile(r"/(v[0-9a-f]{12})/")


@cache
def version() -> str:
    """Returns a hash of all static files: ``v`` and twelve hexadecimal digits. It is a folder in the files' URLs.

    All files have the same version, because JavaScript modules import each other by relative URLs, which keep the
    folder name.
    """
    digest = hashlib.sha256()
    for finder in finders.get_finders():
        for name, storage in sorted(finder.list([]), key=lambda entry: str(entry[0])):
            with storage.open(name) as file:
                content = file.read()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"v{digest.hexdigest()[:12]}"


class VersionedStorage(StaticFilesStorage):
    """Makes ``{% static %}`` add the version to URLs, as in ``/static/v0123456789ab/dashboard/js/main.js``."""

    def url(self, name: str | None) -> str:
        """Returns the URL of a file, with the version."""
        return super().url(f"{version()}/{name}")


@lru_cache(maxsize=512)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise's middleware, changed so that a response contains the bytes of the file.

    WhiteNoise returns a file iterator, which ASGI would have to read in a thread.
    """

    def __call__(  # type: ignore[override]  # the middleware is called with a request, its base by a WSGI server
        self, request: HttpRequest
    ) -> HttpResponseBase:
        """Serves a file at the URL of any version, because an open page may be older than the server. Passes requests
        for other URLs on.

        Browsers may cache only the current version forever.
        """
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
        """Returns the response with a file; 304 if the browser already has the file. Text files are compressed if the
        browser accepts gzip."""
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

"""Static files under ASGI: small, read whole, compressed once; kept by browsers for as long as they do not change."""

from __future__ import annotations

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

SMALLEST = 512
#: RFC 8246: what is asked for by the hash of its content need not be asked for again.
FOREVER = "public, max-age=31536000, immutable"
_VERSIONED = re.compile(r"/(v[0-9a-f]{12})/")


@cache
def version() -> str:
    """The hash of every static file, as it stands in their addresses: ``v`` and twelve digits. Modules import one
    another by relative addresses, so that one folder for all of them needs no rewriting."""
    said = hashlib.sha256()
    for finder in finders.get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: str(found[0])):
            with storage.open(name) as opened:
                content = opened.read()
            said.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"v{said.hexdigest()[:12]}"


class VersionedStorage(StaticFilesStorage):
    """``{% static %}`` with the version: ``/static/v0123456789ab/dashboard/js/main.js``."""

    def url(self, name: str | None) -> str:
        """The address of a file."""
        return super().url(f"{version()}/{name}")


@lru_cache(maxsize=512)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise answers with a file iterator, which ASGI would have to consume in a thread; ours holds the bytes."""

    def __call__(  # type: ignore[override]  # the middleware is called with a request, its base by a WSGI server
        self, request: HttpRequest
    ) -> HttpResponseBase:
        """A file is found under any version, since a page may be older than the server that it asks; only under its own
        it is kept."""
        path = request.path_info
        asked = _VERSIONED.match(path, len(self.static_prefix) - 1) if path.startswith(self.static_prefix) else None
        if asked is not None:
            path = self.static_prefix + path[asked.end() :]
        found = self.files.get(path)
        if found is None:
            response: HttpResponseBase = self.get_response(request)
            return response
        answer = self.serve(found, request)
        if asked is not None and asked[1] == version():
            answer["Cache-Control"] = FOREVER
        return answer

    @staticmethod
    def serve(  # type: ignore[override]  # the middleware answers a request, its base a WSGI server
        static_file: Any, request: HttpRequest
    ) -> HttpResponse:
        """The file, 304 where the browser has it, gzip where it is taken and worth it."""
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as opened:
                content = opened.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        text = response.get("Content-Type", "").startswith(("text/", "image/svg", "application/json"))
        if response.status_code == 200 and text and "Content-Encoding" not in response:
            response["Vary"] = "Accept-Encoding"
            if len(content) >= SMALLEST and "gzip" in request.headers.get("Accept-Encoding", ""):
                response.content = _compressed(content)
                response["Content-Encoding"] = "gzip"
                response["Content-Length"] = str(len(response.content))
        return response

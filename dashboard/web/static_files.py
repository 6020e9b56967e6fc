"""Static files under ASGI: small, read whole, compressed once."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

SMALLEST = 512


@lru_cache(maxsize=512)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 6, mtime=0)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise answers with a file iterator, which ASGI would have to consume in a thread; ours holds the bytes."""

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

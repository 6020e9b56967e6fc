"""Responses that several views of training sessions share: private pages, refusals, QR codes."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.safestring import SafeString
from segno import make

from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import to_db_thread
from dashboard.web.workshops.step_context import PART_HEADER
from dashboard.web.workshops.views import render_page


async def private_page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A page that caches must not store. Without the frame around its content if a script requests it
    (``PART_HEADER``)."""
    base = {"base": "fragment_base.html" if PART_HEADER in request.headers else "base.html"}
    response = await render_page(request, template, base | context, status)
    response["Cache-Control"] = "no-store"
    return response


async def refused(request: HttpRequest, status: int, title: str, sentence: str, back: str) -> HttpResponse:
    """A refusal in the format that the client accepts: a page, JSON, or a line of text."""
    accepted = request.headers.get("Accept", "")
    if "application/json" in accepted:
        return JsonResponse({"detail": sentence}, status=status)
    if PART_HEADER in request.headers or accepted.startswith("text/plain"):
        return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")
    return await to_db_thread(lambda: refuse(request, status, title, sentence, back=back))


def qr_code(text: str, title: str) -> SafeString:
    """A QR code as inline SVG with an accessible name."""
    svg = make(text, error="m", micro=False).svg_inline(
        omitsize=True, dark="#000", light="#fff", title=title, svgclass="qr", lineclass=None, border=3
    )
    return SafeString(svg.replace("<svg ", '<svg role="img" ', 1))  # trusted: the title is escaped  # nosec B703

"""Responses that several views of training sessions use: private pages, refusals, QR codes."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.safestring import SafeString
from segno import make

from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import to_db_thread
from dashboard.web.workshops.step_context import PART_HEADER
from dashboard.web.workshops.views import render_page


async def private_page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Renders a page that caches must not store.

    If a script requests the page (``PART_HEADER``), the response contains only the template's block ``main``.
    """
    base = {"base": "fragment_base.html" if PART_HEADER in request.headers else "base.html"}
    response = await render_page(request, template, base | context, status)
    response["Cache-Control"] = "no-store"
    return response


async def refused(request: HttpRequest, status: int, title: str, sentence: str, back: str) -> HttpResponse:
    """Returns a refusal in the format that the client accepts: a page, JSON, or a line of text.

    ``sentence`` is the reason. The page has ``title`` as its heading, and a link to the URL ``back``.
    """
    accepted = request.headers.get("Accept", "")
    if "application/json" in accepted:
        return JsonResponse({"detail": sentence}, status=status)
    if PART_HEADER in request.headers or accepted.startswith("text/plain"):
        return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")
    return await to_db_thread(lambda: refuse(request, status, title, sentence, back=back))


def qr_code(text: str, title: str) -> SafeString:
    """Returns a QR code of ``text`` as inline SVG. ``title`` is its accessible name."""
    svg = make(text, error="m", micro=False).svg_inline(
        omitsize=True, dark="#000", light="#fff", title=title, svgclass="qr", lineclass=None, border=3
    )
    return SafeString(svg.replace("<svg ", '<svg role="img" ', 1))  # trusted: the title is escaped  # nosec B703

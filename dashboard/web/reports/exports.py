"""A report to take along: a file for each format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.export.formats import Format, write
from dashboard.export.pdf import NoPdfError
from dashboard.web.experiments.views import refuse
from dashboard.web.http.threaded_views import aside
from dashboard.web.reports.views import found_report


async def _in_pieces(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Tens of megabytes, none of which waits for the last."""
    take = sync_to_async(lambda: next(parts, None), thread_sensitive=False)
    while (part := await take()) is not None:
        yield part


@require_safe
@aside
def export(request: HttpRequest, identity: str, ending: str) -> HttpResponseBase:
    """The file, to be kept and not to be shown: what stands in it came from elsewhere."""
    row = found_report(identity)
    if ending not in set(Format):
        raise Http404(_("A report is not written in this format."))
    form = Format(ending)
    try:
        written = write(identity, form)
    except NoPdfError as error:
        return refuse(request, 501, _("There is no PDF here"), str(error))
    response: HttpResponse | StreamingHttpResponse
    if form is Format.HISTOGRAMS:
        response = StreamingHttpResponse(_in_pieces(iter(written.parts)), content_type=written.content_type)
    else:
        response = HttpResponse(b"".join(written.parts), content_type=written.content_type)
    name = slugify(row.title)[:60] or "report"
    response["Content-Disposition"] = f'attachment; filename="{name}-{identity}.{ending}"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response["Cache-Control"] = "private, no-cache"
    return response

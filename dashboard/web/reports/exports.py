"""The download of a report in one of several formats."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.export.formats import Format, export_report, file_name
from dashboard.export.pdf import NoPdfError
from dashboard.web.experiments.views import refuse
from dashboard.web.http.threaded_views import Check, cancellable
from dashboard.web.reports.report_views import get_report_or_404


async def _stream(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the parts of a large file as soon as they are computed. Computes them in a thread."""
    take = sync_to_async(lambda: next(parts, None), thread_sensitive=False)
    while (part := await take()) is not None:
        yield part


def _refuse_pdf(request: HttpRequest, sentence: str) -> HttpResponse:
    if request.accepts("text/html"):
        return refuse(request, 501, _("PDF export is not available"), sentence)
    return HttpResponse(sentence, status=501, content_type="text/plain; charset=utf-8")


@require_safe
@cancellable
def export(request: HttpRequest, check: Check, identity: str, ending: str) -> HttpResponseBase:
    """Returns a report as a download in the format ``ending``. If the client disconnects, ``check`` cancels the export.

    Browsers must not show the file as a page, because its content may come from another installation.
    """
    row = get_report_or_404(identity)
    if ending not in set(Format):
        raise Http404(_("Reports have no export in this format."))
    form = Format(ending)
    exported = export_report(identity, form, check)
    response: HttpResponse | StreamingHttpResponse
    if form is Format.HISTOGRAMS:
        response = StreamingHttpResponse(_stream(exported.parts), content_type=exported.content_type)
    else:
        try:
            response = HttpResponse(b"".join(exported.parts), content_type=exported.content_type)
        except NoPdfError as error:
            return _refuse_pdf(request, str(error))
    response["Content-Disposition"] = f'attachment; filename="{file_name(row, form)}"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response["Cache-Control"] = "private, no-cache"
    return response

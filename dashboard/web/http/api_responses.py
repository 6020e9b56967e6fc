"""Response types that several routers of the API use."""

from django.http import HttpResponse
from ninja import Schema

from dashboard.core.experiments.messages import encode


class Refusal(Schema):
    """The body of a refused request: ``detail`` is the reason."""

    detail: str


class Started(Schema):
    """The body of the response to a request that has queued a run: the id of the run and the URL of its page."""

    id: str
    url: str


def json_response(value: object) -> HttpResponse:
    """Returns ``value`` as a JSON response, in the encoding that all interfaces use
    (``core.experiments.messages.encode``)."""
    return HttpResponse(encode(value), content_type="application/json")

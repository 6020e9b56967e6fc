"""Responses that several routers of the API use."""

from django.http import HttpResponse
from ninja import Schema

from dashboard.core.experiments.messages import encode


class Refusal(Schema):
    """Why a request was refused."""

    detail: str


class Started(Schema):
    """A run that was queued."""

    id: str
    url: str


def json_response(value: object) -> HttpResponse:
    """A response with a value of ``core`` as JSON, in the encoding that all interfaces use."""
    return HttpResponse(encode(value), content_type="application/json")

"""Responses that the routers of the API share."""

from django.http import HttpResponse
from ninja import Schema

from dashboard.core.experiments.messages import encode


class Refusal(Schema):
    """Why a request was refused."""

    detail: str


class Started(Schema):
    """A queued run."""

    id: str
    url: str


def json_response(value: object) -> HttpResponse:
    """A value of ``core`` as JSON, encoded as everywhere else."""
    return HttpResponse(encode(value), content_type="application/json")

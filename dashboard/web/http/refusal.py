"""The response body of a request that the API refuses."""

from ninja import Schema


class Refusal(Schema):
    """Why a request was refused."""

    detail: str

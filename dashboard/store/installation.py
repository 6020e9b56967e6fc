"""This installation: its id."""

from dashboard.models import Installation


def installation_id() -> str:
    """The id of this installation, created at first use."""
    first = Installation.objects.order_by("created_at").first()
    return (first or Installation.objects.create()).id

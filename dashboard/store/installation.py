"""The id of this installation, and the version of Netmodes that has migrated its database."""

from dashboard.models import Installation


def installation_id() -> str:
    """The id of this installation, created at first use."""
    first = Installation.objects.order_by("created_at").first()
    return (first or Installation.objects.create()).id


def stored_version() -> str:
    """The version of Netmodes that has migrated the database; empty if that version did not store its number."""
    return Installation.objects.order_by("created_at").values_list("version", flat=True).first() or ""


def note_version(version: str) -> None:
    """Stores the server's version of Netmodes. The labs of machines that have joined the installation compare their own
    version with it."""
    Installation.objects.filter(pk=installation_id()).exclude(version=version).update(version=version)

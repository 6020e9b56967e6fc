"""The Django application."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Netmodes as a Django application."""

    name = "dashboard"

    def ready(self) -> None:
        """Registers ``postgres.NulReplacingDumper`` if the database is PostgreSQL."""
        from django.db import connection

        if connection.vendor == "postgresql":
            from dashboard import postgres

            postgres.register()

"""The Django application."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Netmodes as a Django application."""

    name = "dashboard"

    def ready(self) -> None:
        """Registers the text adapter of the PostgreSQL driver if the database is PostgreSQL."""
        from django.db import connection

        if connection.vendor == "postgresql":
            from dashboard import postgres

            postgres.register()

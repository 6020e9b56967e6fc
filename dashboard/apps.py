"""The Django application."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Netmodes as a Django application."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Configures the PostgreSQL driver."""
        from django.db import connection

        if connection.vendor == "postgresql":
            from dashboard import postgres

            postgres.register()

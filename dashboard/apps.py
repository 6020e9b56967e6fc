"""The Django application."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Netmodes."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

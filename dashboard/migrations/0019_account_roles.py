from typing import Any

from django.db import migrations
from django.db.models import OuterRef, Subquery


def give_roles(apps: Any, _schema_editor: Any) -> None:
    """Every user of an earlier version could do everything with their own data: the owner stays the owner."""
    account = apps.get_model("dashboard", "Account")
    for user in apps.get_model("auth", "User").objects.order_by("pk"):
        account.objects.create(user=user, role="owner" if user.username == "owner" else "instructor")


def own_measurements(apps: Any, _schema_editor: Any) -> None:
    """A measurement belongs to the account of its experiment."""
    experiments = apps.get_model("dashboard", "Experiment").objects.filter(pk=OuterRef("experiment"))
    runs = apps.get_model("dashboard", "MeasurementRun").objects.exclude(experiment=None)
    runs.update(owner=Subquery(experiments.values("owner")[:1]))


class Migration(migrations.Migration):
    # Apart from the tables: PostgreSQL alters no table that has rows with constraints to check.
    dependencies = [("dashboard", "0018_accounts")]

    operations = [
        migrations.RunPython(give_roles, migrations.RunPython.noop),
        migrations.RunPython(own_measurements, migrations.RunPython.noop),
    ]

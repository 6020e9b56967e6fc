"""An experiment can have parts on several machines."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def keep_parts_only(apps: Any, schema_editor: Any) -> None:
    """Before the columns are dropped: each part becomes an experiment of its own. An earlier version would show the
    experiment of all as one that ran on this machine."""
    experiments = apps.get_model("dashboard", "Experiment").objects
    experiments.exclude(parent=None).update(parent=None)
    experiments.exclude(parts="").delete()
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.connection.check_constraints()  # a table with checks that wait cannot be altered
        schema_editor.execute("DROP POLICY IF EXISTS netmodes_new_row ON dashboard_experiment")


def keep_all(_apps: Any, _schema_editor: Any) -> None:
    """Before, no experiment had parts."""


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0022_moved_hosts")]

    operations = [
        migrations.AddField(
            model_name="experiment",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="children",
                to="dashboard.experiment",
            ),
        ),
        migrations.AddField(
            model_name="experiment",
            name="parts",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.RunPython(keep_all, keep_parts_only),
    ]

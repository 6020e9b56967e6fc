"""An experiment can have parts on several machines."""

import django.db.models.deletion
from django.db import migrations, models


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
    ]

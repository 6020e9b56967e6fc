"""A run can measure from other machines, too."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0023_experiment_parts")]

    operations = [
        migrations.AlterField(
            model_name="measurementseries",
            name="path",
            field=models.CharField(max_length=80),
        ),
        migrations.CreateModel(
            name="MeasurementClient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("machine", models.CharField(max_length=32)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clients",
                        to="dashboard.measurementrun",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "machine"), name="client_once_per_run")],
            },
        ),
    ]

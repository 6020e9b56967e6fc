import django.db.models.deletion
from django.db import migrations, models

import dashboard.models.experiments


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0003_reports"),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkshopProgress",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=dashboard.models.experiments.new_id, max_length=16, primary_key=True, serialize=False
                    ),
                ),
                ("person", models.CharField(max_length=60)),
                ("workshop", models.CharField(max_length=40)),
                ("digest", models.CharField(blank=True, default="", max_length=16)),
                ("started_at", models.FloatField()),
                ("finished_at", models.FloatField(default=0.0)),
                ("step", models.CharField(blank=True, default="", max_length=60)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("person", "workshop"), name="progress_once_per_person")
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkshopEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.FloatField()),
                ("kind", models.CharField(max_length=12)),
                ("step", models.CharField(blank=True, default="", max_length=60)),
                ("detail", models.CharField(blank=True, default="", max_length=400)),
                (
                    "progress",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="dashboard.workshopprogress",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="WorkshopStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.CharField(max_length=60)),
                ("opened_at", models.FloatField(default=0.0)),
                ("prediction", models.PositiveSmallIntegerField(null=True)),
                ("predicted_at", models.FloatField(default=0.0)),
                ("truth", models.CharField(blank=True, default="", max_length=200)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("unmet", models.BooleanField(default=False)),
                ("noted", models.TextField(default="{}")),
                ("failing", models.CharField(blank=True, default="", max_length=200)),
                ("hints", models.PositiveSmallIntegerField(default=0)),
                ("passed_at", models.FloatField(default=0.0)),
                (
                    "progress",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="dashboard.workshopprogress",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("progress", "step"), name="step_once_per_progress")],
            },
        ),
    ]

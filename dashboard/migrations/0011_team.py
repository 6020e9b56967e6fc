from __future__ import annotations

from django.db import migrations, models


def number() -> tuple[str, models.BigAutoField[int, int]]:
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0010_block_index")]

    operations = [
        migrations.CreateModel(
            name="LabBeat",
            fields=[
                ("machine", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("number", models.PositiveBigIntegerField(default=0)),
                ("at", models.FloatField()),
                ("facts", models.TextField(default="{}")),
            ],
        ),
        migrations.CreateModel(
            name="LabRequest",
            fields=[
                number(),
                ("name", models.CharField(max_length=60)),
                ("host", models.CharField(blank=True, default="", max_length=40)),
                ("arguments", models.TextField()),
                ("state", models.CharField(db_index=True, default="waiting", max_length=10)),
                ("answer", models.TextField(blank=True, default="")),
                ("output", models.TextField(blank=True, default="")),
                ("made_at", models.FloatField(db_index=True)),
                ("deadline", models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name="Presence",
            fields=[
                number(),
                ("process", models.CharField(max_length=40)),
                ("session", models.CharField(db_index=True, max_length=16)),
                ("seats", models.TextField()),
                ("at", models.FloatField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["process", "session"], name="presence_once_per_process")
                ],
            },
        ),
        migrations.CreateModel(
            name="GuessBucket",
            fields=[
                ("place", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("left", models.FloatField()),
                ("at", models.FloatField(db_index=True)),
            ],
        ),
    ]

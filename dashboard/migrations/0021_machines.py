import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import dashboard.models.experiments


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0020_nats"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Machine",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("labels", models.TextField(default="{}")),
                ("is_draining", models.BooleanField(default=False)),
                ("cpus", models.PositiveIntegerField(default=0)),
                ("memory_mb", models.PositiveIntegerField(default=0)),
                ("capacity", models.PositiveIntegerField(default=0)),
                ("engine", models.CharField(blank=True, default="", max_length=40)),
                ("engine_version", models.CharField(blank=True, default="", max_length=60)),
                ("kernel", models.CharField(blank=True, default="", max_length=120)),
                ("version", models.CharField(blank=True, default="", max_length=40)),
                ("key_digest", models.CharField(blank=True, default="", max_length=64)),
                ("joined_at", models.FloatField()),
                ("seen_at", models.FloatField(default=0.0)),
                ("revoked_at", models.FloatField(default=0.0)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="installation",
            name="version",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.CreateModel(
            name="JoinToken",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=dashboard.models.experiments.new_id, max_length=16, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("created_at", models.FloatField()),
                ("expires_at", models.FloatField()),
                ("used_at", models.FloatField(default=0.0)),
                ("revoked_at", models.FloatField(default=0.0)),
                (
                    "owner",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to="dashboard.machine"),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="claimrun",
            name="machine",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="dashboard.machine"
            ),
        ),
        migrations.AddField(
            model_name="experiment",
            name="machine",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="dashboard.machine"
            ),
        ),
        migrations.AddField(
            model_name="grouphost",
            name="machine",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="dashboard.machine"
            ),
        ),
        migrations.AddField(
            model_name="measurementrun",
            name="machine",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="dashboard.machine"
            ),
        ),
    ]

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import dashboard.models.experiments

ROLES = [("owner", "owner"), ("instructor", "instructor"), ("reader", "reader")]


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0017_journal_size"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            "Account",
            [
                (
                    "user",
                    models.OneToOneField(
                        settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("role", models.CharField(max_length=12, choices=ROLES)),
            ],
        ),
        migrations.CreateModel(
            "AuditEntry",
            [
                (
                    "id",
                    models.CharField(
                        primary_key=True, max_length=16, default=dashboard.models.experiments.new_id, serialize=False
                    ),
                ),
                ("at", models.FloatField(db_index=True)),
                (
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, null=True, on_delete=django.db.models.deletion.SET_NULL
                    ),
                ),
                ("account", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=60, db_index=True)),
                ("object", models.CharField(max_length=120, default="", blank=True)),
                ("outcome", models.CharField(max_length=10)),
                ("address", models.CharField(max_length=64, default="", blank=True)),
            ],
            options={"ordering": ["-at", "-id"]},
        ),
        migrations.AddField(
            "SignInLink",
            "user",
            models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=django.db.models.deletion.CASCADE),
        ),
        migrations.AddField(
            "MeasurementRun",
            "owner",
            models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=django.db.models.deletion.SET_NULL),
        ),
    ]

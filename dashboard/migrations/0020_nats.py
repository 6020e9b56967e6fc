"""Processes talk over NATS: the tables of heartbeats, calls and presence are no longer used."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0019_account_roles")]

    operations = [migrations.DeleteModel(name) for name in ("LabHeartbeat", "LabRequest", "Presence")]

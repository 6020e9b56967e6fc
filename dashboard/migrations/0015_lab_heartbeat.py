"""Heartbeats of labs: the model has the name that code and documents use."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0014_participants")]

    operations = [migrations.RenameModel("LabBeat", "LabHeartbeat")]

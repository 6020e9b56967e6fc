"""The name of the file from which a report was imported."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0015_lab_heartbeat")]

    operations = [
        migrations.AddField(
            model_name="report",
            name="imported_file",
            field=models.CharField(blank=True, default="", max_length=200),
        )
    ]

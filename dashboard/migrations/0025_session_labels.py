"""A session may ask for machines with certain labels."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0024_measurement_clients")]

    operations = [
        migrations.AddField(
            model_name="trainingsession",
            name="machine_labels",
            field=models.CharField(blank=True, default="", max_length=410),
        ),
    ]

"""Other machines measure for a run for a limited time only, which its lab cannot write. Present rows are no longer
valid."""

from datetime import UTC, datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0025_session_labels")]

    operations = [
        migrations.AddField(
            model_name="measurementclient",
            name="seconds",
            field=models.FloatField(default=0.0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="measurementclient",
            name="valid_until",
            field=models.DateTimeField(default=datetime(1970, 1, 1, tzinfo=UTC)),
            preserve_default=False,
        ),
    ]

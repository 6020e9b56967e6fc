"""Stores which machines are in the swarm, since one that does not respond cannot be asked. A machine that joined before
may be in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0027_last_revocation")]

    operations = [
        migrations.AddField(model_name="machine", name="swarm_since", field=models.FloatField(default=0.0)),
        migrations.RunSQL("UPDATE dashboard_machine SET swarm_since = joined_at", migrations.RunSQL.noop),
    ]

"""A machine that joins again keeps the time of its last revocation, since other machines may still be in a swarm with
the revoked machine."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0026_client_validity")]

    operations = [
        migrations.AddField(model_name="machine", name="last_revoked_at", field=models.FloatField(default=0.0)),
        migrations.RunSQL("UPDATE dashboard_machine SET last_revoked_at = revoked_at", migrations.RunSQL.noop),
    ]

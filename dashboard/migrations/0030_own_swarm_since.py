"""Stores whether the installation's own machine is in the swarm, since its lab cannot be asked while it does not
respond."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0029_key_lengths")]

    operations = [
        migrations.AddField(model_name="installation", name="swarm_since", field=models.FloatField(default=0.0)),
    ]

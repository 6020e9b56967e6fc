"""Lengthens the columns for keys of arms: PostgreSQL refused keys of 41 to 63 characters, which validation accepts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0028_swarm_since")]

    operations = [
        migrations.AlterField(model_name="arm", name="key", field=models.CharField(max_length=63)),
        migrations.AlterField(model_name="measurementseries", name="column", field=models.CharField(max_length=63)),
        migrations.AlterField(model_name="measurementseries", name="key", field=models.CharField(max_length=140)),
    ]

"""A host of a group can be moved to another machine."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0021_machines")]

    operations = [
        migrations.AddField(
            model_name="grouphost",
            name="is_moved",
            field=models.BooleanField(default=False),
        ),
    ]

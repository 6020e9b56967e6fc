from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0008_training")]

    operations = [
        migrations.AddField(
            model_name="experiment",
            name="host",
            field=models.CharField(blank=True, db_index=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="claimrun",
            name="host",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
    ]

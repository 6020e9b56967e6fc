from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0011_team")]

    operations = [
        *(
            migrations.AddField(
                model_name=name,
                name="group",
                field=models.CharField(blank=True, db_index=True, default="", max_length=40),
            )
            for name in ("experiment", "measurementrun", "claimrun")
        ),
        migrations.AddField(
            model_name="measurementrun",
            name="host",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0009_hosts")]

    operations = [
        migrations.AlterField(
            model_name="measurementblock",
            name="series",
            field=models.ForeignKey(
                db_index=False,
                on_delete=models.deletion.CASCADE,
                related_name="blocks",
                to="dashboard.measurementseries",
            ),
        ),
    ]

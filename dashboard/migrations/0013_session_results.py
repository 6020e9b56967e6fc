import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0012_groups")]

    operations = [
        migrations.AddField(
            model_name="seat",
            name="results_digest",
            field=models.CharField(blank=True, db_index=True, default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="share",
            name="report",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="shares",
                to="dashboard.report",
            ),
        ),
        migrations.AddField(
            model_name="share",
            name="session",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="shares",
                to="dashboard.trainingsession",
            ),
        ),
        migrations.AddConstraint(
            model_name="share",
            constraint=models.CheckConstraint(
                condition=models.Q(("report", None), ("session", None), _connector="XOR"),
                name="share_of_a_report_or_a_session",
            ),
        ),
    ]

from typing import Any

from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Length


def measure_journals(apps: Any, _schema_editor: Any) -> None:
    """The size of journals that were written before."""
    entries = apps.get_model("dashboard", "JournalEntry").objects.filter(experiment=OuterRef("pk"))
    sizes = entries.order_by().values("experiment")
    number = sizes.annotate(number=Count("pk")).values("number")
    size = sizes.annotate(size=Sum(Length("facts") + Length("text"))).values("size")
    apps.get_model("dashboard", "Experiment").objects.update(
        journal_entries=Coalesce(Subquery(number), 0), journal_bytes=Coalesce(Subquery(size), 0)
    )


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0016_imported_file")]

    operations = [
        migrations.AddField("experiment", "journal_entries", models.PositiveIntegerField(default=0)),
        migrations.AddField("experiment", "journal_bytes", models.PositiveBigIntegerField(default=0)),
        migrations.RunPython(measure_journals, migrations.RunPython.noop),
    ]

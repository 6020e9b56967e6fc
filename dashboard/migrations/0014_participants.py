"""Seats become participants, host rows group hosts, and the text of revealed steps rows of their own."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def split_revealed(apps: Any, _schema_editor: Any) -> None:
    """One row for each step that ``reveal`` names, with the time of its event."""
    step_model = apps.get_model("dashboard", "RevealedStep")
    event_model = apps.get_model("dashboard", "SessionEvent")
    for session in apps.get_model("dashboard", "TrainingSession").objects.exclude(reveal=""):
        events = event_model.objects.filter(session=session, kind="revealed").order_by("-pk")
        times = dict(events.values_list("detail", "at"))
        step_model.objects.bulk_create(
            step_model(session=session, step=step, at=times.get(step, session.created_at))
            for step in dict.fromkeys(session.reveal.split())
        )


def join_revealed(apps: Any, _schema_editor: Any) -> None:
    """The steps of each session as one text again, separated by spaces, in the order in which they were revealed."""
    steps: dict[str, list[str]] = {}
    for session, step in (
        apps.get_model("dashboard", "RevealedStep").objects.order_by("pk").values_list("session_id", "step")
    ):
        steps.setdefault(session, []).append(step)
    for session, names in steps.items():
        apps.get_model("dashboard", "TrainingSession").objects.filter(pk=session).update(reveal=" ".join(names))


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0013_session_results")]

    operations = [
        migrations.RenameModel("Seat", "Participant"),
        migrations.RenameModel("HostRow", "GroupHost"),
        migrations.RemoveConstraint("answer", "answer_once_per_step"),
        migrations.RenameField("answer", "seat", "participant"),
        migrations.AddConstraint(
            "answer", models.UniqueConstraint(fields=["participant", "step"], name="answer_once_per_step")
        ),
        migrations.RenameField("message", "seat", "participant"),
        migrations.RenameField("terminalrecord", "seat", "participant"),
        migrations.RenameField("presence", "seats", "participants"),
        migrations.RenameField("guessbucket", "place", "key"),
        migrations.RenameField("guessbucket", "left", "remaining"),
        migrations.RenameField("trainingsession", "seats_most", "max_participants"),
        migrations.RenameField("trainingsession", "doors_shut", "admission_required"),
        migrations.RenameField("trainingsession", "pointer", "pointed_row"),
        migrations.AlterField(
            "participant",
            "session",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="participants",
                to="dashboard.trainingsession",
            ),
        ),
        migrations.AlterField(
            "grouphost",
            "session",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="group_hosts",
                to="dashboard.trainingsession",
            ),
        ),
        migrations.CreateModel(
            "RevealedStep",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.CharField(max_length=60)),
                ("at", models.FloatField()),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="revealed_steps",
                        to="dashboard.trainingsession",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=["session", "step"], name="step_revealed_once_per_session")
                ],
            },
        ),
        migrations.RunPython(split_revealed, join_revealed),
        migrations.RemoveField("trainingsession", "reveal"),
    ]

"""Progress in workshops. ``core.workshops.progress`` documents the fields."""

from django.db import models

from dashboard.models.experiments import new_id


class WorkshopProgress(models.Model):
    """The progress of one person in one workshop. ``person`` is ``user:ID`` for an account. For a participant of a
    training session, it is the participant's key (``store.training.participants.person_of``). ``digest`` is that of the
    workshop's text when the person started."""

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    person = models.CharField(max_length=60)
    workshop = models.CharField(max_length=40)
    digest = models.CharField(max_length=16, default="", blank=True)
    started_at = models.FloatField()
    finished_at = models.FloatField(default=0.0)
    step = models.CharField(max_length=60, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "workshop"], name="progress_once_per_person")]

    def __str__(self) -> str:
        return f"{self.person} in {self.workshop}"


class WorkshopStep(models.Model):
    """What one person has done in one step. ``noted`` is a JSON object that maps the index of a check to the event that
    the check has observed."""

    progress = models.ForeignKey(WorkshopProgress, on_delete=models.CASCADE, related_name="steps")
    step = models.CharField(max_length=60)
    opened_at = models.FloatField(default=0.0)
    prediction = models.PositiveSmallIntegerField(null=True)
    predicted_at = models.FloatField(default=0.0)
    truth = models.CharField(max_length=200, default="", blank=True)
    attempts = models.PositiveIntegerField(default=0)
    unmet = models.BooleanField(default=False)
    noted = models.TextField(default="{}")
    failing = models.CharField(max_length=200, default="", blank=True)
    hints = models.PositiveSmallIntegerField(default=0)
    passed_at = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["progress", "step"], name="step_once_per_progress")]

    def __str__(self) -> str:
        return f"{self.progress_id} {self.step}"


class WorkshopEvent(models.Model):
    """An event in a workshop. ``kind`` is started, predicted, did (executed a command), checked (a check failed), hint,
    passed or finished. In a training session, it may also be hand (raised), lowered (the hand), away or back."""

    progress = models.ForeignKey(WorkshopProgress, on_delete=models.CASCADE, related_name="events")
    at = models.FloatField()
    kind = models.CharField(max_length=12)
    step = models.CharField(max_length=60, default="", blank=True)
    detail = models.CharField(max_length=400, default="", blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.step}"

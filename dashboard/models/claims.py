"""Claim runs, and the outcome of each claim."""

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id


class ClaimRun(models.Model):
    """One run of claims. ``state`` is waiting, running, finished, cancelled, failed or incomplete (its process has
    died). ``wanted`` is running, or cancelled if a user requested that.

    If the run tests a misconception, ``misconception`` is its id and ``prediction`` the index of the choice that the
    user predicted; otherwise both are empty. ``driver``, ``machine``, ``host`` and ``group`` are as in ``Experiment``.
    ``engines`` is a JSON list of texts: each describes an engine on which claims were executed.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    misconception = models.CharField(max_length=60, default="", blank=True, db_index=True)
    prediction = models.CharField(max_length=4, default="", blank=True)
    state = models.CharField(max_length=12, default="waiting", db_index=True)
    wanted = models.CharField(max_length=12, default="running")
    driver = models.CharField(max_length=40, default="", blank=True)
    machine = models.ForeignKey("dashboard.Machine", null=True, blank=True, on_delete=models.PROTECT)
    host = models.CharField(max_length=40, default="", blank=True)
    group = models.CharField(max_length=40, default="", blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    elapsed_s = models.FloatField(default=0.0)
    engines = models.TextField(default="[]")
    problem = models.TextField(default="", blank=True)

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class ClaimOutcome(models.Model):
    """One claim in one run. ``step`` is its state (``core.claims.run.ClaimState``). ``executed`` is JSON of
    ``core.claims.run.ExecutedClaim``, empty until the claim has been executed."""

    run = models.ForeignKey(ClaimRun, on_delete=models.CASCADE, related_name="outcomes")
    claim = models.CharField(max_length=60, db_index=True)
    position = models.PositiveSmallIntegerField()
    step = models.CharField(max_length=8, default="waiting")
    verdict = models.CharField(max_length=12, default="", blank=True)
    executed = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "claim"], name="claim_once_per_run")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.run_id} {self.claim} {self.verdict or self.step}"

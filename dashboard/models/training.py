"""A class: sessions, seats, predictions, messages, the hosts that groups want and have, recorded terminals.

Times are seconds of the epoch, 0 for never. ``core.training.session`` says what the fields mean.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id


class TrainingSession(models.Model):
    """One class. ``code`` is shown to the instructor alone; people are looked up by ``code_digest``.

    ``pace`` is ``together`` or ``gated``; ``step`` is the instructor's, ``gate`` the last step that is open to
    those who walk at their own pace, and ``locked`` means that nothing can be done in a step just now.
    ``reveal`` names the steps whose answer has been shown, separated by spaces. ``mirror`` is the experiment
    that is shown to everybody, ``pointer`` the row that is talked about.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=120)
    workshop = models.CharField(max_length=40)
    digest = models.CharField(max_length=16, default="", blank=True)
    code_digest = models.CharField(max_length=64, unique=True)
    code = models.CharField(max_length=8)
    created_at = models.FloatField(db_index=True)
    expires_at = models.FloatField()
    closed_at = models.FloatField(default=0.0)
    seats_most = models.PositiveSmallIntegerField(default=30)
    pace = models.CharField(max_length=10, default="together")
    gate = models.CharField(max_length=60, default="", blank=True)
    step = models.CharField(max_length=60, default="", blank=True)
    locked = models.BooleanField(default=False)
    doors_shut = models.BooleanField(default=False)
    timer_ends_at = models.FloatField(default=0.0)
    reveal = models.TextField(default="", blank=True)
    mirror = models.ForeignKey("dashboard.Experiment", null=True, on_delete=models.SET_NULL, related_name="mirrored_in")
    pointer = models.CharField(max_length=300, default="", blank=True)
    notes = models.TextField(default="", blank=True)
    scores = models.BooleanField(default=False)
    hosts = models.CharField(max_length=8, default="none")
    team_size = models.PositiveSmallIntegerField(default=1)
    terminal = models.BooleanField(default=False)
    record_terminal = models.BooleanField(default=False)
    memory_mb = models.PositiveIntegerField(default=512)
    pids = models.PositiveIntegerField(default=512)
    cpus = models.FloatField(default=1.0)
    ttl_s = models.PositiveIntegerField(default=4 * 3600)
    idle_s = models.PositiveIntegerField(default=1800)

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


class Seat(models.Model):
    """One person in one session. The browser holds the token, 128 bits; ``resume_digest`` is that of the
    link for another device. Using it changes both, so that the old device and the old link are out. ``results_digest``
    is that of the link to the person's own results, which can be used again and again and moves nothing.

    ``group`` counts from 1 within the session: one person alone, or a team. ``admitted_at`` 0 is somebody who
    knocked after the doors were shut.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="seats")
    name = models.CharField(max_length=40)
    token_digest = models.CharField(max_length=64, unique=True)
    resume_digest = models.CharField(max_length=64, default="", blank=True, db_index=True)
    results_digest = models.CharField(max_length=64, default="", blank=True, db_index=True)
    group = models.PositiveSmallIntegerField()
    joined_at = models.FloatField()
    seen_at = models.FloatField(default=0.0)
    admitted_at = models.FloatField(default=0.0)
    removed_at = models.FloatField(default=0.0)
    hand_raised_at = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="name_once_per_session")]
        ordering = ["joined_at", "id"]

    def __str__(self) -> str:
        return f"{self.name} in {self.session_id}"


class Answer(models.Model):
    """What one seat predicted in one step: the first answer counts, there is no second."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="answers")
    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="answers")
    step = models.CharField(max_length=60)
    choice = models.PositiveSmallIntegerField()
    at = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seat", "step"], name="answer_once_per_step")]
        indexes = [models.Index(fields=["session", "step"], name="answers_of_a_step")]

    def __str__(self) -> str:
        return f"{self.seat_id} {self.step}: {self.choice}"


class Message(models.Model):
    """A hint of the instructor (``seat`` null: to all), or what somebody asked."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="messages")
    seat = models.ForeignKey(Seat, null=True, on_delete=models.CASCADE, related_name="messages")
    step = models.CharField(max_length=60, default="", blank=True)
    at = models.FloatField()
    from_instructor = models.BooleanField()
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{'hint' if self.from_instructor else 'question'} in {self.session_id}"


class SessionEvent(models.Model):
    """What the instructor did to everybody, in order: the session can be told and replayed from it.

    ``kind``: created, step, gate, locked, opened, timer, revealed, mirror, pointer, closed. ``detail`` is what
    it was done to.
    """

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="events")
    at = models.FloatField()
    kind = models.CharField(max_length=12)
    detail = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}"


class HostRow(models.Model):
    """The private host of one group: commands write ``wanted``, the lab acts and writes the rest.

    ``wanted``: running, stopped, reset. ``state``: queued, starting, ready, failed, stopped. ``host`` is the
    private host's id, ``socket`` where its engine listens.
    """

    group = models.CharField(primary_key=True, max_length=40)
    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="host_rows")
    wanted = models.CharField(max_length=10, default="running")
    state = models.CharField(max_length=10, default="queued", db_index=True)
    host = models.CharField(max_length=40, default="", blank=True)
    socket = models.CharField(max_length=200, default="", blank=True)
    reason = models.CharField(max_length=400, default="", blank=True)
    since = models.FloatField(default=0.0)
    used_at = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return f"{self.group} {self.state}"


class TerminalRecord(models.Model):
    """A piece of what a terminal showed in one step, compressed with zlib."""

    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="terminal_records")
    step = models.CharField(max_length=60, default="", blank=True)
    at = models.FloatField()
    data = models.BinaryField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"terminal of {self.seat_id} in {self.step}"

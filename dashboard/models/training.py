"""Training sessions: participants, predictions, messages, hosts of groups, recorded terminals.

Times are seconds since the epoch, 0 for never. ``core.training.session`` explains the fields.
"""

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id


class TrainingSession(models.Model):
    """One training session. Only its instructor sees ``code``; a join code that is entered is looked up by
    ``code_digest``.

    ``pace`` is ``together`` or ``gated``. ``step`` is the slug of the instructor's step. With the pace ``gated``, each
    finished step opens the next one, up to the step ``gate``. ``locked`` is true if participants cannot work on any
    step. ``mirror`` is the experiment that is shown to all participants, ``pointed_row`` the row of its table at which
    the instructor points.
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
    max_participants = models.PositiveSmallIntegerField(default=30)
    pace = models.CharField(max_length=10, default="together")
    gate = models.CharField(max_length=60, default="", blank=True)
    step = models.CharField(max_length=60, default="", blank=True)
    locked = models.BooleanField(default=False)
    admission_required = models.BooleanField(default=False)
    timer_ends_at = models.FloatField(default=0.0)
    mirror = models.ForeignKey("dashboard.Experiment", null=True, on_delete=models.SET_NULL, related_name="mirrored_in")
    pointed_row = models.CharField(max_length=300, default="", blank=True)
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
    machine_labels = models.CharField(max_length=410, default="", blank=True)

    def __str__(self) -> str:
        return f"{self.id} {self.title}"

    def revealed(self) -> dict[str, float]:
        """The times at which answers were revealed, by the slug of the step, in the order of revealing. Queries the
        database."""
        return dict(self.revealed_steps.values_list("step", "at"))


class RevealedStep(models.Model):
    """A step whose answer the instructor has shown to all participants. ``at`` is the time of the first reveal."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="revealed_steps")
    step = models.CharField(max_length=60)
    at = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "step"], name="step_revealed_once_per_session")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.step} in {self.session_id}"


class Participant(models.Model):
    """One participant of one session. The participant's browser holds a token of 128 bits; ``token_digest`` is its
    digest.

    ``resume_digest`` is the digest of the link that moves the participant to another device. Using the link replaces
    the token and makes the link invalid. ``results_digest`` is the digest of the link to the participant's own results,
    which can be used repeatedly. ``group`` is the number of the participant's group, counted from 1 within the session.
    A group is a single participant or a team. ``admitted_at`` is 0 while the participant waits for admission.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="participants")
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
    """The prediction of one participant in one step. Only the participant's first prediction is stored."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="answers")
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="answers")
    step = models.CharField(max_length=60)
    choice = models.PositiveSmallIntegerField()
    at = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["participant", "step"], name="answer_once_per_step")]
        indexes = [models.Index(fields=["session", "step"], name="answers_of_a_step")]

    def __str__(self) -> str:
        return f"{self.participant_id} {self.step}: {self.choice}"


class Message(models.Model):
    """A question of a participant, or a message of the instructor. A message of the instructor without ``participant``
    is a hint to all participants."""

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="messages")
    participant = models.ForeignKey(Participant, null=True, on_delete=models.CASCADE, related_name="messages")
    step = models.CharField(max_length=60, default="", blank=True)
    at = models.FloatField()
    from_instructor = models.BooleanField()
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{'hint' if self.from_instructor else 'question'} in {self.session_id}"


class SessionEvent(models.Model):
    """An action of the instructor that affects all participants. Results and replay are built from these events.

    ``kind`` is created, closed, step, gate, pace, locked, doors (``admission_required``), timer, pointer
    (``pointed_row``), mirror or revealed. ``detail`` is the new value of the field that changed. It is the slug of the
    step if ``kind`` is revealed, the slug of the workshop if it is created, and empty if it is closed. The
    pace is also recorded when the session is created.
    """

    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="events")
    at = models.FloatField()
    kind = models.CharField(max_length=12)
    detail = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}"


class GroupHost(models.Model):
    """The private host of one group. Commands write ``wanted``; the lab acts on it and writes the other fields.

    ``machine`` is the machine of the host; None for the installation's own. ``wanted`` is running, stopped or reset.
    ``state`` is unplaced, queued, starting, ready, failed or stopped. ``host`` is the id of the private host,
    ``socket`` the path of its engine's socket. ``is_moved`` is true if the host was moved to this machine: once it has
    started, the lab repeats the group's steps on it.
    """

    group = models.CharField(primary_key=True, max_length=40)
    session = models.ForeignKey(TrainingSession, on_delete=models.CASCADE, related_name="group_hosts")
    machine = models.ForeignKey("dashboard.Machine", null=True, blank=True, on_delete=models.PROTECT)
    wanted = models.CharField(max_length=10, default="running")
    state = models.CharField(max_length=10, default="queued", db_index=True)
    host = models.CharField(max_length=40, default="", blank=True)
    socket = models.CharField(max_length=200, default="", blank=True)
    reason = models.CharField(max_length=400, default="", blank=True)
    is_moved = models.BooleanField(default=False)
    since = models.FloatField(default=0.0)
    used_at = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return f"{self.group} {self.state}"


class TerminalRecord(models.Model):
    """A piece of the output of a participant's terminal in one step, compressed with zlib."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="terminal_records")
    step = models.CharField(max_length=60, default="", blank=True)
    at = models.FloatField()
    data = models.BinaryField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"terminal of {self.participant_id} in {self.step}"

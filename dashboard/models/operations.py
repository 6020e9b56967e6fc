"""Rows that the processes of a team deployment exchange: heartbeats of labs, remote calls, presence, join rate limits.

Times are seconds of the epoch.
"""

from django.db import models


class LabHeartbeat(models.Model):
    """The newest heartbeat of the lab on a machine. ``number`` grows with each heartbeat and is 0 once the lab has
    ended; ``facts`` is JSON of ``core.operations.deployment.LabFacts``."""

    machine = models.CharField(primary_key=True, max_length=100)
    number = models.PositiveBigIntegerField(default=0)
    at = models.FloatField()
    facts = models.TextField(default="{}")

    def __str__(self) -> str:
        return f"{self.machine} {self.number}"


class LabRequest(models.Model):
    """A remote call of the lab (``lab.remote.rpc``). ``state`` is waiting, taken, answered, refused, or lapsed if its
    caller no longer waits. ``arguments`` and ``answer`` are JSON; ``output`` grows while a command prints."""

    name = models.CharField(max_length=60)
    host = models.CharField(max_length=40, default="", blank=True)
    arguments = models.TextField()
    state = models.CharField(max_length=10, default="waiting", db_index=True)
    answer = models.TextField(default="", blank=True)
    output = models.TextField(default="", blank=True)
    made_at = models.FloatField(db_index=True)
    deadline = models.FloatField()

    def __str__(self) -> str:
        return f"{self.pk} {self.name} {self.state}"


class Presence(models.Model):
    """Participants of one session that are connected to one web process: ids separated by spaces. Old rows expire."""

    process = models.CharField(max_length=40)
    session = models.CharField(max_length=16, db_index=True)
    participants = models.TextField()
    at = models.FloatField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["process", "session"], name="presence_once_per_process")]

    def __str__(self) -> str:
        return f"{self.session} at {self.process}"


class GuessBucket(models.Model):
    """A token bucket of wrong join codes (``core.training.rate_limit``). ``key`` is a client, empty for all clients."""

    key = models.CharField(primary_key=True, max_length=64)
    remaining = models.FloatField()
    at = models.FloatField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.remaining}"

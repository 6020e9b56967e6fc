"""Machines with a lab of their own, and the tokens with which they join the installation."""

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id


class Machine(models.Model):
    """A machine that has joined the installation. ``name`` is also a part of its NATS subjects. The row stays after the
    machine was revoked, because experiments refer to it. A machine of the same name may join again.

    An owner writes ``labels`` (a JSON object) and ``is_draining`` (whether it takes no new hosts). The machine's lab
    writes its facts: ``cpus``, ``memory_mb``, ``capacity`` (the number of private hosts with the default limits),
    ``engine``, ``engine_version``, ``kernel``, ``version`` (of Netmodes) and ``seen_at``. ``key_digest`` is the SHA-256
    of its key for NATS.

    Times are in seconds since the epoch. ``revoked_at`` is 0 while the machine may connect. ``last_revoked_at`` keeps
    the time of the revocation even if the machine joins again. ``swarm_since`` is when the machine was last asked to
    enter the Docker swarm of the installation's machines. It is 0 after the machine has left this swarm.
    """

    name = models.CharField(primary_key=True, max_length=32)
    labels = models.TextField(default="{}")
    is_draining = models.BooleanField(default=False)
    cpus = models.PositiveIntegerField(default=0)
    memory_mb = models.PositiveIntegerField(default=0)
    capacity = models.PositiveIntegerField(default=0)
    engine = models.CharField(max_length=40, default="", blank=True)
    engine_version = models.CharField(max_length=60, default="", blank=True)
    kernel = models.CharField(max_length=120, default="", blank=True)
    version = models.CharField(max_length=40, default="", blank=True)
    key_digest = models.CharField(max_length=64, default="", blank=True)
    joined_at = models.FloatField()
    seen_at = models.FloatField(default=0.0)
    revoked_at = models.FloatField(default=0.0)
    last_revoked_at = models.FloatField(default=0.0)
    swarm_since = models.FloatField(default=0.0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class JoinToken(models.Model):
    """A one-time token with which a machine joins the installation. Only the SHA-256 of the token is stored.
    ``used_at`` is 0 until the token is used, ``revoked_at`` is 0 until it is revoked."""

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    digest = models.CharField(max_length=64, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(default=0.0)
    revoked_at = models.FloatField(default=0.0)
    machine = models.ForeignKey(Machine, null=True, on_delete=models.SET_NULL)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"join token {self.pk}"

"""Experiments, their arms and journals."""

import secrets

from django.conf import settings
from django.db import models

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def new_id() -> str:
    """Returns ten random, unambiguous characters (about 49 bits). Container names and URLs contain such ids."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


class Installation(models.Model):
    """This installation. Its id is in the labels of all objects that it creates on an engine. ``version`` is the newest
    version of Netmodes that has migrated the database. ``swarm_since`` is when its own machine was last asked to enter
    the swarm of machines, as in ``Machine``."""

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    version = models.CharField(max_length=40, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    swarm_since = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return self.id


class Experiment(models.Model):
    """One experiment. Users write ``wanted``, the lab writes ``phase``.

    ``spec`` is JSON of ``core.modes.ExperimentSpec``, ``head`` of ``core.experiments.messages.ExperimentHead``.
    ``round`` counts the launches from 1. ``driver`` is the process of ``netmodes compare`` or a similar command that
    drives the experiment (``store.experiments.this_process``). If it is empty, a lab drives the experiment.
    ``shown_seq`` is the number of the last journal entry before the stop: an experiment that has ended shows the state
    at this entry. ``journal_entries`` and ``journal_bytes`` are the size of its journal.

    ``machine`` is the machine whose lab drives the experiment; None for the installation's own. ``host`` is the id of
    the private host on which the experiment runs; empty for the machine's own engine. ``group`` is the key
    (``SESSION-N``) of the training session's group that started it. The key stays when the host is removed.

    If the arms run on several machines, each of these has a part: an experiment with the arms of this machine.
    ``parts`` is then JSON of ``{machine: id}``, and this row is the ``parent`` of the parts. Labs drive the parts, not
    this row. Its ``machine`` is None, its ``wanted`` and ``phase`` are always stopped, and its state is that of its
    parts. The PostgreSQL role of a machine can write neither ``parts`` nor ``parent``.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    title = models.CharField(max_length=200)
    spec = models.TextField()
    head = models.TextField(default="")
    wanted = models.CharField(max_length=10, default="running", db_index=True)
    round = models.PositiveIntegerField(default=1)
    phase = models.CharField(max_length=12, default="waiting", db_index=True)
    driver = models.CharField(max_length=40, default="", blank=True)
    machine = models.ForeignKey("dashboard.Machine", null=True, blank=True, on_delete=models.PROTECT)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    parts = models.TextField(default="", db_default="", blank=True)
    host = models.CharField(max_length=40, default="", blank=True, db_index=True)
    group = models.CharField(max_length=40, default="", blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    shown_seq = models.PositiveIntegerField(default=0)
    journal_entries = models.PositiveIntegerField(default=0)
    journal_bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


class Arm(models.Model):
    """One arm of an experiment. The row is stored before its container is created; until then, ``container_id`` is
    empty."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    key = models.CharField(max_length=63)
    position = models.PositiveSmallIntegerField()
    container_name = models.CharField(max_length=100)
    container_id = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "key"], name="arm_once_per_experiment")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.container_name


class JournalEntry(models.Model):
    """One numbered entry of an experiment's journal. ``facts`` is JSON of ``core.experiments.journal.Facts``; ``about``
    contains the keys of the columns that the entry concerns, separated by spaces."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="journal")
    seq = models.PositiveIntegerField()
    at = models.FloatField()
    source = models.CharField(max_length=10)
    detail = models.CharField(max_length=200, default="", blank=True)
    actor = models.CharField(max_length=200, default="", blank=True)
    text = models.TextField(default="", blank=True)
    about = models.TextField(default="", blank=True)
    facts = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "seq"], name="entry_once_per_experiment")]
        ordering = ["seq"]

    def __str__(self) -> str:
        return f"{self.experiment_id} #{self.seq}"

"""Measurements: runs, their series, and every block with its histogram."""

from django.conf import settings
from django.db import models

from dashboard.models.experiments import Experiment, new_id


class MeasurementRun(models.Model):
    """One measurement. ``state`` is waiting, running, finished, cancelled, failed or incomplete (the measuring process
    died). ``wanted`` is running, or cancelled if a user requested that. A run stays when its experiment is removed.

    If ``twin`` is true, ``experiment`` was launched only for this run and ends with it. ``source`` is the experiment
    that the twin replaces in the measurement; None if it replaces none. ``machine``, ``host`` and ``group`` are copied
    from the experiment.

    ``options``, ``environment`` and ``missing`` are JSON of the types in ``core.measurements.measurement``. ``result``
    is JSON of ``Measurement`` in that module. It is built from the blocks after the end of the run.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    experiment = models.ForeignKey(Experiment, null=True, on_delete=models.SET_NULL, related_name="measurements")
    source = models.ForeignKey(Experiment, null=True, on_delete=models.SET_NULL, related_name="twin_measurements")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    title = models.CharField(max_length=200)
    options = models.TextField()
    probes = models.CharField(max_length=200)
    seed = models.BigIntegerField()
    twin = models.BooleanField(default=False)
    state = models.CharField(max_length=12, default="waiting", db_index=True)
    wanted = models.CharField(max_length=12, default="running")
    driver = models.CharField(max_length=40, default="", blank=True)
    machine = models.ForeignKey("dashboard.Machine", null=True, blank=True, on_delete=models.PROTECT)
    host = models.CharField(max_length=40, default="", blank=True)
    group = models.CharField(max_length=40, default="", blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    started_at = models.FloatField(null=True)
    elapsed_s = models.FloatField(default=0.0)
    stopped = models.CharField(max_length=12, default="", blank=True)
    stop_reason = models.TextField(default="", blank=True)
    headline = models.TextField(default="", blank=True)
    environment = models.TextField(default="", blank=True)
    missing = models.TextField(default="", blank=True)
    refused = models.TextField(default="", blank=True)
    result = models.TextField(default="", blank=True)

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


class MeasurementClient(models.Model):
    """A further machine that measures for a run, as a client.

    ``machine`` is its name, or ``server`` for the installation's own machine. It may measure until ``valid_until``, and
    for at most ``seconds`` after the start of the first block. Only web processes add or change this row. The lab that
    drives the run can read and delete it.
    """

    run = models.ForeignKey(MeasurementRun, on_delete=models.CASCADE, related_name="clients", db_index=False)
    machine = models.CharField(max_length=32)
    seconds = models.FloatField()
    valid_until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "machine"], name="client_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.machine}"


class MeasurementSeries(models.Model):
    """One path with one probe in one run. Series of different runs are comparable if they have the same
    ``signature``."""

    run = models.ForeignKey(MeasurementRun, on_delete=models.CASCADE, related_name="series")
    key = models.CharField(max_length=140)
    column = models.CharField(max_length=63)
    path = models.CharField(max_length=80)
    probe = models.CharField(max_length=12)
    signature = models.CharField(max_length=200, db_index=True)
    described = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="series_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.key}"


class MeasurementBlock(models.Model):
    """One block of a series. ``histogram`` is a compressed HdrHistogram V2 of nanoseconds."""

    #: No index of its own: the one of ``block_once_per_round`` starts with it.
    series = models.ForeignKey(MeasurementSeries, on_delete=models.CASCADE, related_name="blocks", db_index=False)
    round = models.PositiveIntegerField()
    started_s = models.FloatField()
    duration_s = models.FloatField()
    n = models.PositiveIntegerField(default=0)
    center_us = models.FloatField(default=0.0)
    p50_us = models.FloatField(default=0.0)
    p90_us = models.FloatField(default=0.0)
    p99_us = models.FloatField(default=0.0)
    p999_us = models.FloatField(default=0.0)
    max_us = models.FloatField(default=0.0)
    mean_us = models.FloatField(default=0.0)
    bytes_per_s = models.FloatField(null=True)
    reconnects = models.PositiveIntegerField(default=0)
    histogram = models.BinaryField(default=b"")
    error = models.TextField(default="", blank=True)
    note = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "round"], name="block_once_per_round")]

    def __str__(self) -> str:
        return f"{self.series_id} #{self.round}"

"""Queues measurements of experiments. If a probe needs the responder of Netmodes, a twin of the experiment is
measured."""

import secrets
from collections.abc import Sequence

import msgspec
from django.db import transaction

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import needs_responder_experiment, responder_experiment
from dashboard.core.modes import ExperimentSpec
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import clients as measurement_clients


def request_run(
    experiment: Experiment,
    probes: Sequence[Probe],
    options: Options,
    owner_id: int | None,
    *,
    clients: Sequence[str] = (),
) -> str:
    """Queues a measurement of an experiment and returns the id of the run. If the run needs a twin, stores the twin,
    which is then to be launched, in the same transaction: a twin without a run would never be stopped. ``clients`` are
    the names of other machines that measure, too. Raises NoSpaceError if the disk is too full for the twin."""
    with transaction.atomic():
        measured, source = experiment.pk, ""
        if needs_responder_experiment(tuple(probes)):
            spec = responder_experiment(msgspec.json.decode(experiment.spec, type=ExperimentSpec))
            host, group, machine = experiment.host, experiment.group, experiment.machine_id
            measured = experiment_store.create_experiment(spec, owner_id, host=host, group=group, machine=machine)
            source = experiment.pk
        return measurement_clients.create_run(
            clients,
            measured,
            experiment.title,
            probes,
            options,
            secrets.randbits(32),
            twin=bool(source),
            source=source or None,
            owner_id=owner_id,
        )

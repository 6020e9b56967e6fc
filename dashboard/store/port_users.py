"""The ports that experiments publish, and the containers that use them."""

from dataclasses import replace

from dashboard.core.experiments.launching.ports import PortUser, needed_ports
from dashboard.core.experiments.messages import ExperimentRef
from dashboard.core.modes import FORWARDING
from dashboard.models import Experiment
from dashboard.store.experiments import load_unsettled_of
from dashboard.store.parts import ids_of


def other_port_users(experiment: str) -> tuple[PortUser, ...]:
    """The containers of the other unsettled experiments on the same host, each with the ports that it publishes. An
    experiment is unsettled if it runs, should run, or is not cleaned up yet. If ``experiment`` runs on several
    machines, the hosts of all its parts are included."""
    divided = Experiment.objects.filter(pk=experiment).values_list("parts", flat=True).first()
    if divided:
        return tuple(
            replace(user, machine=machine)
            for machine, part in ids_of(divided).items()
            for user in other_port_users(part)
        )
    place = Experiment.objects.filter(pk=experiment).values_list("machine_id", "host").first()
    records = load_unsettled_of(*place) if place is not None else ()
    return tuple(
        PortUser(
            record.launched[arm.key],
            f"experiment “{record.title}”",
            needed_ports([arm]) if arm.mode in FORWARDING else (),
            ExperimentRef(record.id, record.title),
        )
        for record in records
        if record.id != experiment
        for arm in record.spec.arms
        if arm.key in record.launched
    )

"""What tests of experiments share."""

from __future__ import annotations

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from tests.support import engine_api
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.private_engine import PrivateEngine
from tests.support.specs import make_spec


def names(host: PrivateEngine) -> set[str]:
    """The names of all containers on a host, including stopped ones."""
    return set(engine_api.containers(host.endpoint))


def create_whole() -> str:
    """The row of an experiment on several machines, which is stopped for every lab."""
    whole = experiment_store.create_experiment(make_spec("none"))
    Experiment.objects.filter(pk=whole).update(wanted=Wanted.STOPPED, phase=Phase.STOPPED)
    return whole


async def run_part(lab: LabHarness, whole: str, *modes: str) -> str:
    """A running part."""
    part = await lab.database.run(lambda: experiment_store.create_experiment(make_spec(*modes), parent=whole))
    lab.lab.wake()
    await lab.reaches(part, Phase.RUNNING)
    return part


async def networks_of_experiments(fake: FakeEngine) -> set[str]:
    """The networks of experiments."""
    return {network.name for network in await fake.networks({}) if network.labels}

"""What a lab reports about its machine."""

from __future__ import annotations

import os

from dashboard import __version__
from dashboard.lab.bootstrap import NullPublisher
from dashboard.lab.machine_facts import own_facts, read_facts
from dashboard.lab.supervisor import Supervisor
from tests.support.lab_harness import LabHarness


def test_the_facts_of_this_machine() -> None:
    facts = own_facts()
    assert facts.cpus == os.cpu_count()
    assert facts.memory_mb > 100
    assert (facts.kernel, facts.version) == (os.uname().release, __version__)


async def test_without_an_engine_there_are_no_facts_about_one() -> None:
    assert await read_facts(Supervisor(NullPublisher())) == own_facts()


async def test_the_engine_of_the_lab_is_reported(lab_harness: LabHarness) -> None:
    supervisor = Supervisor(lab_harness.publisher)
    supervisor._lab = lab_harness.lab
    facts = await read_facts(supervisor)
    assert (facts.engine, facts.engine_version) == ("docker", lab_harness.context.info.version)

"""What a lab reports about its machine."""

from __future__ import annotations

import os
from pathlib import Path

from dashboard import __version__
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.machine_facts import hosts_for_groups, own_facts, read_facts
from dashboard.lab.supervisor import Supervisor
from dashboard.lab.training.hosts import GroupHosts
from tests.lab.hosts_harness import hosts_harness
from tests.support.lab_harness import LabHarness


def test_the_facts_of_this_machine_are_reported() -> None:
    facts = own_facts()
    assert facts.cpus == os.cpu_count()
    assert facts.memory_mb > 100
    assert (facts.kernel, facts.version) == (os.uname().release, __version__)


async def test_without_an_engine_there_are_no_facts_about_one() -> None:
    assert await read_facts(Supervisor(Publisher())) == own_facts()


async def test_the_engine_of_the_lab_is_reported(lab_harness: LabHarness) -> None:
    supervisor = Supervisor(lab_harness.publisher)
    supervisor._lab = lab_harness.lab
    facts = await read_facts(supervisor)
    assert (facts.engine, facts.engine_version) == ("docker", lab_harness.context.info.version)


async def test_hosts_of_lans_leave_less_room_for_those_of_groups(tmp_path: Path, transactional_db: None) -> None:
    supervisor = Supervisor(Publisher())
    assert hosts_for_groups(supervisor) == 0
    async with hosts_harness(tmp_path) as harness:
        harness.hosts._problem = ""  # also without root
        supervisor._hosts = harness.hosts
        alone = hosts_for_groups(supervisor)
        supervisor._hosts = GroupHosts(harness.context, harness.labs, lambda: harness.machine, count_others=lambda: 3)
        # Three hosts that run also use memory, which the machine reports as used.
        assert 0 < hosts_for_groups(supervisor) < alone
        harness.hosts._problem, supervisor._hosts = "No root.", harness.hosts
        assert hosts_for_groups(supervisor) == 0

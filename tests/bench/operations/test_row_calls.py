"""The reference for calls to the lab: questions and answers as rows of a real PostgreSQL."""

from __future__ import annotations

import sys

import psycopg
import pytest

from dashboard import configuration
from dashboard.bench.operations.postgres_nats import Postgres, temporary_folder
from dashboard.bench.operations.row_calls import row_calls
from dashboard.bench.processes import BASE, environment_with, output_of
from dashboard.core.training.host_plan import HostStage
from dashboard.lab.training.hosts import HostState

pytestmark = pytest.mark.engine

#: Prints the group of a host that waits to be started.
PREPARE = """
import django; django.setup()
from django.core.management import call_command
from dashboard.store.training import hosts
from tests.lab.training_builders import NOW, session
call_command("migrate", verbosity=0, interactive=False)
group = session(hosts="person").id + "-1"
hosts.request(group, NOW)
hosts.note(group, reason="It waits.")
print(group)
"""


async def test_questions_are_answered_from_the_store_one_after_the_other_and_leave_no_rows() -> None:
    with temporary_folder() as folder, Postgres(folder) as postgres:
        variables = {"DATABASE_URL": postgres.url, "NETMODES_DATA_DIR": str(configuration.data_dir())}
        environment = environment_with(**variables, DJANGO_SETTINGS_MODULE="dashboard.settings")
        printed = await output_of(sys.executable, "-c", PREPARE, deadline_s=60.0, cwd=BASE, env=environment)
        group = printed.strip()
        async with row_calls(postgres.url) as ask:
            states = [await ask(name) for name in (group, "none-1", group)]
        waiting = HostState(HostStage.QUEUED, "It waits.")
        assert states == [waiting, HostState(HostStage.STOPPED), waiting]
        with psycopg.connect(postgres.url) as database:
            assert database.execute("SELECT count(*) FROM bench_question").fetchone() == (0,)

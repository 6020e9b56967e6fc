"""Launches while another process holds the database, and the list of experiments."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created

from dashboard.core.experiments.messages import Phase
from dashboard.models import Experiment
from dashboard.store.database import limit_waiting
from dashboard.store.experiments import create_experiment
from dashboard.web.experiments.launch_views import PAST
from dashboard.web.http.database import to_db_thread
from tests.support.specs import make_spec
from tests.web.asgi_client import Person, http

pytestmark = pytest.mark.django_db(transaction=True)
FORM = b"image=nginx&port=80&mode=host&mode=none"


@pytest.fixture
def served() -> Iterator[None]:
    """Makes new database connections wait as long as those of a server."""
    connections.close_all()
    connection_created.connect(limit_waiting)
    yield
    connection_created.disconnect(limit_waiting)
    connections.close_all()


def form_of(body: bytes) -> dict[str, object]:
    return {"headers": (("content-type", "application/x-www-form-urlencoded"),), "body": body, "token": True}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a server waits for rows, not for a file")
@pytest.mark.usefixtures("served", "lab_harness")
async def test_a_launch_while_another_process_holds_the_database_is_answered_soon_and_can_be_repeated(
    me: Person,
) -> None:
    name = str(connection.settings_dict["NAME"])
    with closing(sqlite3.connect(name, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(15):
            answer = await http("POST", "/experiments/", who=me, **form_of(FORM))  # type: ignore[arg-type]
        assert answer.status == 503
        assert "Another process holds the database. Nothing was changed." in answer.text
        other.execute("ROLLBACK")
    assert await to_db_thread(Experiment.objects.count) == 0
    answer = await http("POST", "/experiments/", who=me, **form_of(FORM))  # type: ignore[arg-type]
    assert answer.status == 302


async def test_every_running_experiment_is_listed_and_only_the_newest_ended_ones(me: Person) -> None:
    def create() -> tuple[list[str], list[str]]:
        running, ended = ([create_experiment(make_spec("host")) for _ in range(PAST + 1)] for _ in range(2))
        Experiment.objects.filter(pk__in=ended).update(phase=Phase.STOPPED)
        return running, ended

    running, ended = await to_db_thread(create)
    page = (await http("GET", "/", who=me)).text
    assert all(f"/experiments/{identity}/" in page for identity in running)
    assert [f"/experiments/{identity}/" in page for identity in ended] == [False] + [True] * PAST

"""Locks of PostgreSQL when the network between a lab and its database is cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import dj_database_url
import psycopg
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from dashboard.bench.operations.postgres_nats import Postgres
from dashboard.core.operations.deployment import HEARTBEAT_S, UNAVAILABLE_S
from dashboard.store.operations import advisory_lock
from dashboard.store.operations.advisory_lock import ANSWER_S, LAB, MIGRATION, AdvisoryLock, SwarmLock
from tests.support.polling import until

#: A deadline for a machine with other tests, far below the time after which a kernel gives up a connection.
DEADLINE_S = 4 * ANSWER_S


class Cable:
    """A port that forwards to the database until it is cut; the two ends of a cut connection hear nothing."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._cut: set[socket.socket] = set()
        self.accepts = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._server.accept()
                self._sockets.append(client)
                if self.accepts:
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._sockets.append(server)
                    for ends in ((client, server), (server, client)):
                        threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) and source not in self._cut:
                sink.sendall(data)
            if source not in self._cut:
                sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Drops everything that is sent on the connections that exist."""
        self._cut.update(self._sockets)

    def close(self) -> None:
        """Ends everything."""
        self._server.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # a thread that receives keeps the connection after close alone
            each.close()


@pytest.fixture
def cable(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    """The port through which this process is connected to the database."""
    url = urlsplit(postgres.url)
    cable = Cable(url.port or 0)
    address = url._replace(netloc=f"netmodes@127.0.0.1:{cable.port}").geturl()
    connections = ConnectionHandler({"default": dict(dj_database_url.parse(address))})
    monkeypatch.setattr(advisory_lock, "connection", connections["default"])
    yield cable
    cable.close()


def test_a_lab_notices_a_lost_database_before_another_lab_may_take_over() -> None:
    # A confirmation is as old as the interval, and a check may wait for an answer and for a connection.
    assert HEARTBEAT_S + ANSWER_S < UNAVAILABLE_S


@pytest.mark.engine
def test_a_lock_belongs_to_one_process_at_a_time(cable: Cable) -> None:
    first, second = AdvisoryLock(LAB), AdvisoryLock(LAB)
    until(first.acquire)
    assert not second.acquire()
    assert first.holds()
    first.release()
    until(second.acquire)  # PostgreSQL's process for the first connection may need a moment to end
    assert not first.holds()
    second.release()


@pytest.mark.engine
def test_a_database_that_answers_nothing_is_lost_within_seconds(cable: Cable) -> None:
    lock = AdvisoryLock(LAB)
    until(lock.acquire)
    cable.accepts = False
    cable.cut()
    started = time.monotonic()
    with pytest.raises(OperationalError):
        lock.holds()
    assert time.monotonic() - started < DEADLINE_S
    lock.release()


@pytest.mark.engine
def test_a_lock_is_taken_again_although_the_database_still_has_the_lost_connection(cable: Cable) -> None:
    lock = AdvisoryLock(LAB)
    until(lock.acquire)  # the database may still have the connection of another test
    since = lock.since
    cable.cut()
    until(lock.holds, DEADLINE_S)  # PostgreSQL may need longer than a second to end the lost connection
    assert lock.holds()
    assert lock.since > since > 0.0, "who takes the lock later has the later time"
    assert not AdvisoryLock(LAB).acquire()
    lock.release()


def assert_the_second_waits() -> None:
    """Checks that of two processes that migrate, the second waits for the first and prints that."""
    said: list[str] = []
    second_is_in = threading.Event()

    def migrate() -> None:
        with advisory_lock.migration_lock(said.append):
            second_is_in.set()

    thread = threading.Thread(target=migrate)
    with advisory_lock.migration_lock(said.append):
        thread.start()
        until(lambda: said, DEADLINE_S)
        assert not second_is_in.is_set()
    thread.join(DEADLINE_S)
    assert second_is_in.is_set()
    assert said == ["Waiting until another process has migrated the database."]


@pytest.mark.engine
def test_one_process_migrates_at_a_time_and_no_advisory_lock_prevents_it(
    cable: Cable, postgres: Postgres, django_db_blocker: DjangoDbBlocker
) -> None:
    said: list[str] = []
    with django_db_blocker.unblock(), advisory_lock.migration_lock(said.append):  # creates the table
        assert said == []
        advisory_lock.connection.close()  # type: ignore[attr-defined]  # that of the fixture
    with psycopg.connect(postgres.url) as machine:  # any role may take this lock, and read the table
        machine.execute("SELECT pg_advisory_lock(%s), count(*) FROM django_migrations", [MIGRATION])
        assert_the_second_waits()


def test_one_process_at_a_time_migrates_a_file_of_sqlite() -> None:
    assert_the_second_waits()


@pytest.mark.engine
def test_one_process_changes_the_swarm_at_a_time_and_no_machine_prevents_it(cable: Cable, postgres: Postgres) -> None:
    read = "SELECT count(*) FROM django_content_type"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS django_content_type (id int)")
        owner.execute("DROP ROLE IF EXISTS machine")
        owner.execute("CREATE ROLE machine")
        first, second = SwarmLock(), SwarmLock()
        until(first.acquire, DEADLINE_S)
        assert not second.acquire()
        assert not second.acquire(0.05)
        owner.execute(read)  # the lock prevents no reading
        first.release()
        assert second.acquire(DEADLINE_S)
        second.release()
        owner.execute("GRANT SELECT ON django_content_type TO machine")  # more than a machine has
        owner.execute("SET ROLE machine")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(f"BEGIN; {advisory_lock._LOCK_SWARM}")
        owner.execute("ROLLBACK")
        owner.execute("RESET ROLE")
        owner.execute("DROP OWNED BY machine; DROP ROLE machine")


def test_with_one_machine_there_is_no_lock_of_the_swarm(db: None) -> None:
    first, second = SwarmLock(), SwarmLock()
    assert first.acquire()
    assert second.acquire()
    first.release()

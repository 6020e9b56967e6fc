"""The reference for calls to the lab: calls that are rows of PostgreSQL, as in Netmodes before it used NATS. Each call
asks for the state of a group's host.

As a program (``python -m dashboard.bench.operations.row_calls URL``) it answers the calls. Like the lab
(``GroupHosts.state_of``), it reads the state from the store, and writes it into the row. NOTIFY wakes the program when
there is a call, and the caller when there is an answer.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvloop
from psycopg import AsyncConnection

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import environment_with, print_line, running

if TYPE_CHECKING:
    from dashboard.lab.training.hosts import HostState

TABLE = """CREATE TABLE IF NOT EXISTS bench_question (
    id bigserial PRIMARY KEY, arguments text, state text DEFAULT 'waiting', answer text DEFAULT ''
)"""
ASK = """WITH asked AS (INSERT INTO bench_question (arguments) VALUES (%s) RETURNING id)
    SELECT id, pg_notify('bench_asked', '') FROM asked"""
WAITING = "SELECT id, arguments FROM bench_question WHERE state = 'waiting' ORDER BY id LIMIT 20"
TAKE = "UPDATE bench_question SET state = 'taken' WHERE id = %s AND state = 'waiting'"
FINISH = """WITH answered AS (UPDATE bench_question SET state = 'answered', answer = %s WHERE id = %s RETURNING id)
    SELECT pg_notify('bench_answered', id::text) FROM answered"""
ANSWERED = "SELECT answer FROM bench_question WHERE id = %s AND state = 'answered'"
ANSWER_S = 10.0


@asynccontextmanager
async def row_calls(url: str) -> AsyncIterator[Callable[[str], Awaitable["HostState"]]]:
    """Context manager that runs the answering program. Yields a function that asks it for the state of a group's host.
    ``url`` is the URL of a database with the tables of Netmodes."""
    from dashboard.lab.remote import experiment_calls
    from dashboard.lab.remote.rpc import RemoteCall

    call = RemoteCall(experiment_calls.host_state)
    async with await AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute(TABLE)
        await database.execute("LISTEN bench_answered")

        async def ask(group: str) -> "HostState":
            asked = await (await database.execute(ASK, (call.encode_arguments(group),))).fetchone()
            number = asked[0] if asked else 0
            async for woken in database.notifies(timeout=ANSWER_S, stop_after=1):
                if woken.payload != str(number):
                    raise BenchmarkError(f"question {number} was asked, and {woken.payload} answered")
            found = await (await database.execute(ANSWERED, (number,))).fetchone()
            if found is None:
                raise BenchmarkError(f"question {number} was not answered within {ANSWER_S:g} s")
            await database.execute("DELETE FROM bench_question WHERE id = %s", (number,))
            state: HostState = call.decode_result(found[0])
            return state

        command = [sys.executable, "-m", "dashboard.bench.operations.row_calls", url]
        folder = str(configuration.data_dir())
        environment = environment_with(
            DATABASE_URL=url, DJANGO_SETTINGS_MODULE="dashboard.settings", NETMODES_DATA_DIR=folder
        )
        async with running(command, env=environment) as other:
            await other.read()
            yield ask


async def _answer(url: str) -> None:
    import django

    django.setup()
    # The models can be imported only now.
    from dashboard.core.training.host_plan import HostStage
    from dashboard.lab.remote import experiment_calls
    from dashboard.lab.remote.rpc import RemoteCall
    from dashboard.lab.training.hosts import HostState
    from dashboard.store.database import DatabaseThread
    from dashboard.store.training import hosts

    call, store = RemoteCall(experiment_calls.host_state), DatabaseThread()
    async with await AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute("LISTEN bench_asked")
        print_line("ready")
        while True:
            async for _woken in database.notifies(stop_after=1):
                pass
            for number, arguments in await (await database.execute(WAITING)).fetchall():
                if (await database.execute(TAKE, (number,))).rowcount:
                    (group,) = call.decode_arguments(arguments)
                    found = await store.run(hosts.find, group)
                    state = HostState(HostStage.STOPPED)
                    if found is not None:
                        state = HostState(found.stage, found.reason, found.host)
                    await database.execute(FINISH, (call.encode_result(state), number))


if __name__ == "__main__":
    uvloop.run(_answer(sys.argv[1]))

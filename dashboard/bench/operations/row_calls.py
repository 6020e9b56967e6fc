"""The reference for calls to the lab: the same question as a row of PostgreSQL, the way before NATS was used.

As a program (``python -m dashboard.bench.operations.row_calls URL``) it answers the questions: it takes each waiting
row, reads a row of another table as the lab's call does, and writes the answer. NOTIFY wakes both ends.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvloop
from psycopg import AsyncConnection

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import print_line, program

TABLE = """CREATE TABLE IF NOT EXISTS bench_question (
    id bigserial PRIMARY KEY, arguments text, state text DEFAULT 'waiting', answer text DEFAULT ''
)"""
ASK = """WITH asked AS (INSERT INTO bench_question (arguments) VALUES (%s) RETURNING id)
    SELECT id, pg_notify('bench_asked', '') FROM asked"""
WAITING = "SELECT id, arguments FROM bench_question WHERE state = 'waiting' ORDER BY id LIMIT 20"
TAKE = "UPDATE bench_question SET state = 'taken' WHERE id = %s AND state = 'waiting'"
READ = "SELECT datname FROM pg_database WHERE datname = %s"
FINISH = """WITH answered AS (UPDATE bench_question SET state = 'answered', answer = %s WHERE id = %s RETURNING id)
    SELECT pg_notify('bench_answered', id::text) FROM answered"""
ANSWERED = "SELECT answer FROM bench_question WHERE id = %s AND state = 'answered'"
ANSWER_S = 10.0


@asynccontextmanager
async def row_calls(url: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Runs the answering process until the block ends; yields a function that asks a question and returns its
    answer."""
    async with await AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute(TABLE)
        await database.execute("LISTEN bench_answered")

        async def ask(arguments: str) -> str:
            asked = await (await database.execute(ASK, (arguments,))).fetchone()
            number = asked[0] if asked else 0
            async for woken in database.notifies(timeout=ANSWER_S, stop_after=1):
                if woken.payload != str(number):
                    raise BenchmarkError(f"question {number} was asked, and {woken.payload} answered")
            found = await (await database.execute(ANSWERED, (number,))).fetchone()
            if found is None:
                raise BenchmarkError(f"question {number} was not answered within {ANSWER_S:g} s")
            await database.execute("DELETE FROM bench_question WHERE id = %s", (number,))
            return str(found[0])

        async with program("operations.row_calls", url) as other:
            await other.read()
            yield ask


async def _answer(url: str) -> None:
    async with await AsyncConnection.connect(url, autocommit=True) as database:
        await database.execute("LISTEN bench_asked")
        print_line("ready")
        while True:
            async for _woken in database.notifies(stop_after=1):
                pass
            for number, arguments in await (await database.execute(WAITING)).fetchall():
                if (await database.execute(TAKE, (number,))).rowcount:
                    row = await (await database.execute(READ, (arguments,))).fetchone()
                    await database.execute(FINISH, (row[0] if row else "", number))


if __name__ == "__main__":
    uvloop.run(_answer(sys.argv[1]))

"""The reference for calls to the lab: questions and answers as rows of a real PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from dashboard.bench.operations.postgres_nats import postgres_server, temporary_folder
from dashboard.bench.operations.row_calls import row_calls

pytestmark = pytest.mark.engine


async def test_questions_are_answered_one_after_the_other_and_leave_no_rows() -> None:
    with temporary_folder() as folder, postgres_server(folder) as postgres:
        async with row_calls(postgres.url) as ask:
            assert [await ask(name) for name in ("netmodes", "another", "netmodes")] == ["netmodes", "", "netmodes"]
        with psycopg.connect(postgres.url) as database:
            assert database.execute("SELECT count(*) FROM bench_question").fetchone() == (0,)

"""The engine of a private host in a training session is killed and must start again with its containers."""

import asyncio
import os
import signal
import time

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.operations.faults.scene import Machine, until
from dashboard.bench.operations.faults.trials import Trial
from dashboard.bench.server import serving
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.training.private_hosts import SessionHosts, launch, leftovers, until_prepared, until_serving
from dashboard.engine.hosts import private_host
from dashboard.store.database import DatabaseThread
from dashboard.store.training import hosts as group_host_store

KILLS, QUICK_KILLS = 5, 2


async def kill(run: BenchmarkRun, machine: Machine) -> list[Trial]:
    """Kills the host of a session. Its container serves port 80, and must serve again after each kill."""
    trials = []
    database = DatabaseThread()
    try:
        async with serving(endpoint=machine.endpoint) as server:
            instructor = await asyncio.to_thread(Instructor.with_session, server, 1, hosts="person")
            group = f"{instructor.session}-1"
            session = SessionHosts(database, instructor.session, (group,))
            await until_prepared()
            await database.run(group_host_store.request, group, time.time())
            await session.on_each(launch)
            for number in range(QUICK_KILLS if run.quick else KILLS):
                host = session.hosts[group]
                os.kill(host.pid, signal.SIGKILL)
                killed = time.monotonic()

                async def has_ended() -> bool:
                    return not host.is_running()  # noqa: B023 - awaited at once

                # Its record is read as long as it runs, and it would never serve again.
                await until(has_ended, "the end of the engine")

                async def is_another() -> bool:
                    await session.on_each(until_serving)
                    return session.hosts[group].pid != host.pid  # noqa: B023 - awaited at once

                await until(is_another, "the private host")
                seconds = time.monotonic() - killed
                trials.append(Trial("private host killed", seconds, 0, 0, await asyncio.to_thread(machine.touched)))
                run.say(f"private host killed: {trials[-1]}")
                if number and number % 2 == 0:
                    # A host that ends three times within two minutes counts as broken.
                    await asyncio.sleep(120)
            ended = list(session.hosts.values())
            await session.end()
            leaked = len(await asyncio.to_thread(leftovers, ended))
    finally:
        await private_host.stop_all(configuration.data_dir())
        database.close()
    if not trials:
        raise BenchmarkError("no host was killed")
    return [*trials[:-1], Trial(trials[-1].fault, trials[-1].ready_s, 0, leaked, trials[-1].touched)]

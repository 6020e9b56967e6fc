"""A fault of private hosts: the engine of a host in a training session is killed, and must start again with its
containers."""

import asyncio
import os
import signal
import time

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkRun, until
from dashboard.bench.operations.faults.scene import Machine
from dashboard.bench.operations.faults.trials import Trial, Trials
from dashboard.bench.server import serving
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.training.private_hosts import SessionHosts, launch, leftovers, until_prepared, until_serving
from dashboard.engine.hosts import private_host
from dashboard.store.database import DatabaseThread
from dashboard.store.training import hosts as group_host_store

HOSTS, QUICK_HOSTS = 3, 1
#: A host that ends three times within two minutes counts as broken.
KILLS_OF_EACH = 2


async def kill(run: BenchmarkRun, machine: Machine, trials: Trials) -> None:
    """Kills the engines of a session's private hosts, one after the other. After each kill, the container of the host
    must serve port 80 again. Records a trial for each kill."""
    seconds: list[float] = []
    database = DatabaseThread()
    try:
        async with serving(endpoint=machine.endpoint) as server:
            count = QUICK_HOSTS if run.quick else HOSTS
            instructor = await asyncio.to_thread(Instructor.with_session, server, count, hosts="person")
            groups = tuple(f"{instructor.session}-{number}" for number in range(1, count + 1))
            session = SessionHosts(database, instructor.session, groups)
            await until_prepared(configuration.data_dir() / "cache")
            for group in groups:
                await database.run(group_host_store.request, group, time.time())
            await session.on_each(launch)
            for group in groups * KILLS_OF_EACH:
                host = session.hosts[group]
                os.kill(host.pid, signal.SIGKILL)
                killed = time.monotonic()

                async def has_ended() -> bool:
                    return not host.is_running()  # noqa: B023 - awaited at once

                # Until the killed engine has ended, its record is still read, and ``on_each`` would wait forever for it
                # to serve.
                await until(has_ended, "the end of the engine")

                async def is_another() -> bool:
                    await session.on_each(until_serving)
                    return session.hosts[group].pid != host.pid  # noqa: B023 - awaited at once

                await until(is_another, "the private host")
                seconds.append(time.monotonic() - killed)
            ended = list(session.hosts.values())
            await session.end()
            leaked = len(await asyncio.to_thread(leftovers, ended))
            touched = await asyncio.to_thread(machine.touched)
    finally:
        await private_host.stop_all(configuration.data_dir())
        database.close()
    for number, ready_s in enumerate(seconds, start=1):
        # Leftovers are known only at the end, and are counted once, in the last trial.
        trials.record(Trial("private host killed", ready_s, 0, leaked if number == len(seconds) else 0, touched))

"""Runs a lab in the benchmark's process, as the server runs one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from dashboard.bench.benchmark import BenchmarkError
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.lab.bootstrap import open_context
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.reconciler import Lab
from dashboard.store import experiments as experiment_store

DEADLINE_S = 60.0


class CommitEvent(asyncio.Event):
    """An event that is set whenever the lab commits journal entries. In a server, a commit wakes the code that sends
    frames to browsers."""

    def note(self, kind: str, *arguments: str) -> None:
        """Handles a message of a ``Publisher``. ``kind`` is its type. Raises BenchmarkError if the message reports that
        the journal cannot be written."""
        if kind == "experiment":
            self.set()
        elif kind == "trouble" and arguments[1]:
            raise BenchmarkError(arguments[1])


class InProcessLab:
    """Launches experiments in the lab of this process and waits for them."""

    def __init__(self, lab: Lab, commits: CommitEvent) -> None:
        self._lab = lab
        self._commits = commits

    async def launch(self, modes: Sequence[Mode]) -> tuple[str, float]:
        """Launches an experiment with an arm for each mode. Returns the experiment's id, and the seconds until the
        experiment runs and each column has a state."""
        arms = tuple(ArmSpec(f"{mode}-{number}", mode) for number, mode in enumerate(modes, 1))
        spec = ExperimentSpec("bench", "nginx", 80, arms)
        loop = asyncio.get_running_loop()
        started = loop.time()
        experiment = await self._lab.context.database.run(experiment_store.create_experiment, spec)
        await self._until(lambda: self._is_running(experiment))
        return experiment, loop.time() - started

    async def remove(self, experiment: str) -> None:
        """Removes an experiment and waits until its containers are gone."""
        await self._lab.context.database.run(experiment_store.set_wanted, experiment, Wanted.REMOVED)
        await self._until(lambda: self._lab.driver_of(experiment) is None)

    def _is_running(self, experiment: str) -> bool:
        run = self._lab.driver_of(experiment)
        if run is None or run.view.head is None or run.view.head.phase is not Phase.RUNNING:
            return False
        if missing := [column.key for column in run.view.columns if column.key not in run.view.states]:
            raise BenchmarkError(f"running, but without a state: {', '.join(missing)}")
        return True

    async def _until(self, condition: Callable[[], bool]) -> None:
        self._lab.wake()
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._commits.clear()
                await self._commits.wait()


@asynccontextmanager
async def in_process_lab(folder: Path) -> AsyncIterator[InProcessLab]:
    """Context manager that runs a lab, with its data in ``folder``, on the engine that DOCKER_HOST names."""
    async with AsyncExitStack() as stack:
        commits = CommitEvent()
        context = await open_context(
            stack, folder, lambda _text: None, Publisher(commits.note), may_start_private=False
        )
        lab = Lab(context)
        stack.push_async_callback(lab.close)
        await lab.start()
        yield InProcessLab(lab, commits)

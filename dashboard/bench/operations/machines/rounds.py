"""The faults of ``machine-faults``, one function for each.

A fault begins, is shown on the pages, and ends. Then everything must work again, and nothing may be lost. ``number`` is
the number of the round. It determines which machine or web process is affected.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.machines.isolated import InsideService
from dashboard.bench.operations.machines.scene import LOST, MachineScene, started, until
from dashboard.bench.operations.machines.training_class import TrainingClass
from dashboard.bench.processes import BASE
from dashboard.core.training.host_plan import HostStage

#: How long a machine is cut off.
CUT_S = 60.0
HOUR_S = 3600.0
SHIFTED = Path(__file__).with_name("shifted_clock")
WAITING = "Another lab drives the experiments of this machine"


@dataclass(frozen=True, slots=True)
class FaultRound:
    """The result of one injected fault. ``seen_s`` is the time from the fault until the pages show it; None if they do
    not. ``healed_s`` is the time until everything works again. It is measured from the end of the fault or, if a
    process was ended, from the start of its successor. ``lost`` is the result of ``MachineScene.count_lost``."""

    fault: str
    seen_s: float | None
    healed_s: float
    lost: int


async def _healed(scene: MachineScene) -> float:
    return await until(scene.is_healed, "everything works again")


def _machine_of(scene: MachineScene, number: int) -> str:
    return scene.names[number % len(scene.names)]


async def _shows(scene: MachineScene, name: str, state: str) -> bool:
    """Whether the Machines pages of all web processes show this state of a machine."""
    with suppress(*LOST, BenchmarkError):
        rows = [await asyncio.to_thread(scene.installation.rows, web) for web in scene.webs]
        return all(state in each.get(name, "") for each in rows)
    return False


async def lab_killed(scene: MachineScene, number: int) -> FaultRound:
    """Kills the lab of a machine with SIGKILL. A new lab is started once the pages show the failure."""
    name = _machine_of(scene, number)
    lab = scene.installation.machines[name].lab
    await asyncio.to_thread(lab.kill)
    seen_s = await until(lambda: _shows(scene, name, "absent"), "absent")
    begin = time.monotonic()
    await started(lab)
    await _healed(scene)
    return FaultRound("lab killed", seen_s, time.monotonic() - begin, await scene.count_lost())


async def web_killed(scene: MachineScene, number: int) -> FaultRound:
    """Kills a web process with SIGKILL. ``seen_s`` is the time until everything works with the other web process."""
    killed = number % 2
    web = scene.installation.deployment.webs[killed]
    scene.webs = [1 - killed]
    await asyncio.to_thread(web.kill)
    seen_s = await _healed(scene)
    begin = time.monotonic()
    await started(web)
    scene.webs = [0, 1]
    await _healed(scene)
    return FaultRound("web process killed", seen_s, time.monotonic() - begin, await scene.count_lost())


async def _restarted(scene: MachineScene, name: str) -> FaultRound:
    deployment = scene.installation.deployment
    service = deployment.nats if name == "NATS" else deployment.postgres
    await asyncio.to_thread(service.stop)

    async def is_refused() -> bool:
        return not await scene.is_healed()

    seen_s = await until(is_refused, "a refusal")
    begin = time.monotonic()
    await started(service)
    await _healed(scene)
    return FaultRound(f"{name} restarted", seen_s, time.monotonic() - begin, await scene.count_lost())


async def nats_restarted(scene: MachineScene, _number: int) -> FaultRound:
    """Stops NATS and starts it again."""
    return await _restarted(scene, "NATS")


async def postgres_restarted(scene: MachineScene, _number: int) -> FaultRound:
    """Stops PostgreSQL and starts it again."""
    return await _restarted(scene, "PostgreSQL")


async def cut_off(scene: MachineScene, number: int) -> FaultRound:
    """Separates a machine from the LAN for ``CUT_S``: in even rounds by its firewall, in odd rounds by its link."""
    name, silently = _machine_of(scene, number), number % 2 == 0
    machine = scene.installation.machines[name].machine
    cut = time.monotonic()
    machine.cut_off(silently=silently)
    try:
        seen_s = await until(lambda: _shows(scene, name, "absent"), "absent")
        await asyncio.sleep(max(0.0, cut + CUT_S - time.monotonic()))
    finally:
        machine.reconnect(silently=silently)
    return FaultRound("machine cut off", seen_s, await _healed(scene), await scene.count_lost())


async def same_name(scene: MachineScene, number: int) -> FaultRound:
    """Lets a second machine use the identity of the first one. It tries to join with the first machine's name, which
    must be refused. Then it starts a lab with the first machine's credentials; this lab must wait."""
    names = scene.names
    first, second = names[number % len(names)], names[(number + 1) % len(names)]
    holder, other = scene.installation.machines[first], scene.installation.machines[second]
    folder = other.machine.folder / "copy"
    folder.mkdir(mode=0o700)
    try:
        token = await asyncio.to_thread(scene.installation.token)
        began = time.monotonic()
        refused = await asyncio.to_thread(other.join, token, first, NETMODES_DATA_DIR=str(folder))
        seen_s = time.monotonic() - began
        if refused.returncode == 0 or "has already joined" not in refused.stderr or "Traceback" in refused.stderr:
            raise BenchmarkError(f"a second machine named {first} was not refused: {refused.stderr}")
        shutil.copy(holder.machine.folder / "machine.json", folder)
        copy = InsideService(
            f"{second}-copy",
            other.machine,
            [sys.executable, str(BASE / "manage.py"), "lab"],
            lambda: WAITING in copy.output(),
            other.environment | {"NETMODES_DATA_DIR": str(folder)},
        )
        try:
            await started(copy)
            healed_s = await _healed(scene)
            lost = await scene.count_lost()
        finally:
            await asyncio.to_thread(copy.stop)
    finally:
        shutil.rmtree(folder)
    return FaultRound("second machine of the same name", seen_s, healed_s, lost)


async def clock_off(scene: MachineScene, number: int) -> FaultRound:
    """Restarts the lab of a machine with a clock that is an hour fast or slow. This lab must work, start a host for a
    new session of an hour, and remove the host when the session is closed. Then restarts the lab with the right
    clock."""
    name = _machine_of(scene, number)
    lab = scene.installation.machines[name].lab
    shift = HOUR_S if number % 2 == 0 else -HOUR_S
    await asyncio.to_thread(lab.stop)
    begin = time.monotonic()
    with lab.variables(PYTHONPATH=str(SHIFTED), BENCH_CLOCK_S=str(shift)):
        await started(lab)
    await _healed(scene)
    healed_s = time.monotonic() - begin
    session = await TrainingClass.open(scene.installation, 1, machine=name)
    await session.start()
    before = await asyncio.to_thread(session.hosts)
    await asyncio.sleep(3.0)  # time for some passes of the lab over hosts and experiments
    after = await asyncio.to_thread(session.hosts)
    kept = [row for group, row in after.items() if row == before[group] and row.stage == HostStage.READY]
    lost = await scene.count_lost() + len(before) - len(kept)
    await session.close()
    await asyncio.to_thread(lab.stop)
    await started(lab)
    await _healed(scene)
    return FaultRound("clock an hour off", None, healed_s, lost + await scene.count_lost())


async def drained(scene: MachineScene, _number: int) -> FaultRound:
    """Drains the machine with the most hosts, and moves these hosts by a command in the instructor's console.
    ``healed_s`` is measured from the moment at which the pages show that the machine is draining."""
    held = [row.machine for row in scene.hosts.values()]
    name = max(sorted(scene.names), key=held.count)
    owner = scene.installation.owners[0]
    await asyncio.to_thread(owner.post, f"/machines/{name}/drain/")
    seen_s = await until(lambda: _shows(scene, name, "draining"), "draining")
    begin = time.monotonic()
    moved = frozenset(group for group, row in scene.hosts.items() if row.machine == name)
    for each in scene.classes:
        if any(group.startswith(f"{each.instructor.session}-") for group in moved):
            await asyncio.to_thread(each.instructor.steer, "move", machine=name)

    async def is_ready() -> bool:
        rows = await asyncio.to_thread(lambda: [row for each in scene.classes for row in each.hosts().values()])
        return all(row.stage == HostStage.READY and row.machine != name for row in rows)

    await until(is_ready, "hosts moved")
    await asyncio.to_thread(owner.post, f"/machines/{name}/undrain/")
    await _healed(scene)
    healed_s, lost = time.monotonic() - begin, await scene.count_lost(moved)
    await scene.record_state()
    return FaultRound("machine drained, hosts moved", seen_s, healed_s, lost)


FAULTS: Mapping[str, Callable[[MachineScene, int], Awaitable[FaultRound]]] = {
    function.__name__: function
    for function in (
        lab_killed,
        web_killed,
        nats_restarted,
        postgres_restarted,
        cut_off,
        same_name,
        clock_off,
        drained,
    )
}

"""Remote calls with which a web process carries blocks of a measurement from the experiment's lab to a client's lab,
and the results back."""

from functools import partial

from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteBlock, RemoteCommand
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.lab.machines.requests import arm_namespace, machine_namespace
from dashboard.lab.reconciler import Lab


async def carry_blocks(lab: Lab, run: str, carrier: str) -> bool:
    """Makes the calling web process the one that carries the blocks of a run on this lab, unless another one does.
    Returns whether the calling process carries them now."""
    return lab.client_lines.carry(run, carrier)


async def next_block(
    lab: Lab,
    run: str,
    carrier: str,
    clients: tuple[MachineClient, ...],
    number: int = 0,
    answer: RemoteAnswer | None = None,
) -> RemoteCommand:
    """The next block of a run on this lab that a client on another machine must measure. ``answer`` is the answer to
    the earlier block ``number``."""
    return await lab.client_lines.next(run, carrier, clients, number, answer)


async def measure_block(
    lab: Lab, run: str, carrier: str, block: RemoteBlock, arm: OverlayArm | None = None
) -> RemoteAnswer:
    """Measures a block of another machine's run, for the web process that carries the run. The client runs in this
    machine's network stack, or in that of an ``arm`` on this machine. ValueError with a message if the block cannot be
    measured."""
    if not block.from_arm:
        return await lab.lent_client.measure(run, carrier, block, partial(machine_namespace, lab))
    if arm is None:
        return RemoteAnswer({"error": "This machine has no running arm in overlay mode."})
    opened = partial(arm_namespace, lab, arm.experiment, arm.column)
    try:
        return await lab.lent_client.measure(run, carrier, block, opened)
    except ValueError as error:  # not raised: the client in the machine's network stack may still measure
        return RemoteAnswer({"error": str(error)})


async def end_client(lab: Lab, run: str, carrier: str) -> bool:
    """Ends the client of another machine's run on this machine, unless another web process now carries the run."""
    await lab.lent_client.end(run, carrier)
    return True

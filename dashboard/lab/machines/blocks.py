"""Remote calls for measurements with clients on other machines. A web process fetches each block from the experiment's
lab, carries it to the client's lab, and carries the result back."""

from functools import partial

from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteBlock, RemoteCommand
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.lab.machines.requests import arm_namespace, machine_namespace
from dashboard.lab.reconciler import Lab


async def carry_blocks(lab: Lab, run: str, carrier: str) -> bool:
    """Makes ``carrier``, the calling web process, carry the blocks of a run that this lab measures. Does nothing if
    another web process carries them. Returns whether ``carrier`` carries the blocks now."""
    return lab.client_lines.carry(run, carrier)


async def next_block(
    lab: Lab,
    run: str,
    carrier: str,
    clients: tuple[MachineClient, ...],
    number: int = 0,
    answer: RemoteAnswer | None = None,
) -> RemoteCommand:
    """Returns the next block of the run ``run`` for a client on another machine. This lab measures the run.

    ``carrier`` is the calling web process. ``clients`` are the machines of the run's clients, each with its interfaces
    and routes or the reason why it cannot measure. Only the first call needs them. ``answer`` is the result of the
    earlier block ``number``, None in the first call.
    """
    return await lab.client_lines.next(run, carrier, clients, number, answer)


async def measure_block(
    lab: Lab, run: str, carrier: str, block: RemoteBlock, arm: OverlayArm | None = None
) -> RemoteAnswer:
    """Measures a block for an experiment on another machine, and returns the result.

    ``run`` is that experiment's run. ``carrier`` is the calling web process. The client runs in this machine's network
    stack. If ``block.from_arm`` is true, it runs in the network stack of ``arm`` instead.

    Raises ValueError with a message if requests from the machine to the block's address are not permitted. If requests
    from the arm are not permitted, the result contains the error.
    """
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
    """Ends the client on this machine that measures for a run of an experiment on another machine. Does nothing if the
    run's most recent block was brought by a web process other than ``carrier``. Returns True in both cases."""
    await lab.lent_client.end(run, carrier)
    return True

"""Runs the commands of workshops on a host, and returns their output."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.comparison.text_table import printable
from dashboard.core.experiments.lifecycle import removal_waves
from dashboard.core.training.capacity import refuse_more
from dashboard.core.workshops import actions
from dashboard.core.workshops.launches import Launch
from dashboard.engine.firewalls.ufw import ufw_command
from dashboard.engine.images import ImageChoice, ensure_image
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.engine.lans.swarm_node import init, leave
from dashboard.engine.protocol import ContainerFacts, EngineError, EngineUnreachable
from dashboard.engine.removal import remove_containers, wait_removed
from dashboard.lab.context import LABEL, Context
from dashboard.lab.workshops.snapshot import WorkshopHost
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_name_files
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.request import request

log = logging.getLogger(__name__)

#: The label of everything that a button created, in addition to the installation's label.
LABEL_WORKSHOP = "dev.netmodes.workshop"
MAX_OUTPUT_BYTES = 20_000
#: How long a button waits for a program to listen, which may never happen.
WAIT_S = 3.0
POLL_S = 0.02
NO_LAN = (
    "This command requires a private host, which has its own LAN and firewall. Start Netmodes on one: see “Where it "
    "runs” in the documentation of workshops."
)
REMOTE_ENGINE = "The engine is not a process of this machine: run the command in a terminal there."


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command. ``failed`` is the error, empty if it succeeded. ``warnings`` are from the Engine."""

    line: str
    output: str = ""
    warnings: tuple[str, ...] = ()
    failed: str = ""


def workshop_host(context: Context) -> WorkshopHost:
    """Returns this context's engine as a host on which workshop commands run."""
    return WorkshopHost.of(context, {LABEL: context.installation, LABEL_WORKSHOP: "yes"})


async def run_command(host: WorkshopHost, line: str, action: actions.Action) -> CommandResult:
    """Performs ``action``, which was parsed from ``line``. Errors are in the result. Raises EngineUnreachable."""
    try:
        match action:
            case Launch():
                return await _launch(host, line, action)
            case actions.Curl():
                return await _curl(host, line, action)
            case actions.ChangeFirewall():
                return await _change_firewall(host, line, action)
            case actions.ChangeSwarm() if not host.neighbour:
                return CommandResult(line, failed=NO_LAN)
            case actions.Inspect():
                return await _inspect(host, line, action)
            case _:
                return CommandResult(line, await _run_on_engine(host, action))
    except EngineUnreachable:
        raise
    except EngineError as error:
        return CommandResult(line, failed=str(error))
    except NamespaceGone:
        return CommandResult(line, failed="The container exited during the command.")
    except OSError as error:
        return CommandResult(line, failed=f"The command failed: {error.strerror or error}.")


async def pull_images(host: WorkshopHost, images: tuple[str, ...]) -> str:
    """Makes the images of a workshop available on a private host. Does nothing on other hosts, where each command gets
    the image that it needs. Returns messages for the user, empty if there is nothing to report."""
    notes = []
    for image in images if host.private else ():
        try:
            notes.append((await _ensure_image(host, image)).sentence)
        except EngineUnreachable:
            raise
        except EngineError as error:
            notes.append(str(error))
    return " ".join(dict.fromkeys(note for note in notes if note))


async def clean_up(host: WorkshopHost) -> int:
    """Removes what the buttons of workshop steps have created on this host, but nothing that a user has created in a
    terminal. Returns the number of containers that it has tried to remove."""
    containers = await host.engine.containers(dict(host.labels))
    for wave in removal_waves({container.id: container.network_mode for container in containers}):
        await asyncio.gather(*(_remove(host.engine.remove_container, container) for container in wave))
    for network in await host.engine.networks(dict(host.labels)):
        await _remove(host.engine.remove_network, network.id)
    return len(containers)


async def _remove(remove: Callable[[str], Awaitable[None]], identity: str) -> None:
    try:
        await remove(identity)
    except EngineUnreachable:
        raise
    except EngineError as error:
        log.warning("%s could not be removed: %s", identity[:12], error)


async def _ensure_image(host: WorkshopHost, image: str) -> ImageChoice:
    return await ensure_image(host.engine, image, host.data_dir, lambda _text, _fraction: None, private=host.private)


async def _launch(host: WorkshopHost, line: str, action: Launch) -> CommandResult:
    run = action.run
    if host.max_containers:
        present = len(await host.engine.containers({}))
        if problem := refuse_more("containers", present, 1, host.max_containers):
            return CommandResult(line, failed=problem)
    if problem := await _refuse_namespace(host, run.network):
        return CommandResult(line, failed=problem)
    choice = await _ensure_image(host, run.image)
    config = {**run.labelled(host.labels), "Image": choice.reference}
    created = await host.engine.create_container(run.name, config)
    warnings = (*created.warnings, *((choice.sentence,) if choice.sentence else ()))
    try:
        await host.engine.start_container(created.id)
    except EngineUnreachable:
        raise
    except EngineError as error:
        return CommandResult(line, created.id[:12], warnings, str(error))
    await _wait_listening(host, created.id)
    return CommandResult(line, created.id, warnings)


async def _refuse_namespace(host: WorkshopHost, network: str) -> str:
    """Returns why a button may not launch a container with this ``--network``; empty if it may. Only a private host
    permits the namespace of a container that no button launched: all containers there belong to its user."""
    mode, _, target = network.partition(":")
    if host.private or mode != "container":
        return ""
    facts = await host.engine.inspect_container(target)
    if host.labels.items() <= facts.labels.items():
        return ""
    return f"The container {target} was not launched by a button of a workshop: type this command in a terminal."


async def _wait_listening(host: WorkshopHost, container: str) -> None:
    """Waits up to ``WAIT_S`` seconds until the container listens on a port, so that the next command can connect."""
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while loop.time() < end:
        try:
            facts = await host.engine.inspect_container(container)
            if not facts.running or await asyncio.to_thread(_is_listening, facts):
                return
        except EngineUnreachable:
            raise
        except (EngineError, NamespaceGone, OSError):
            return
        await asyncio.sleep(POLL_S)


def _is_listening(facts: ContainerFacts) -> bool:
    with Namespace.of_pid(facts.pid) as namespace:
        listeners = read_listeners(namespace)
    if facts.network_mode == "host":
        # Finding the owner of a socket would require a search of /proc; the lab image opens port 80.
        return any(listener.port == 80 for listener in listeners)
    return any(listener.inode and not listener.address.startswith("127.0.0.11") for listener in listeners)


async def _curl(host: WorkshopHost, line: str, action: actions.Curl) -> CommandResult:
    if host.pid is None:
        return CommandResult(line, failed=REMOTE_ENGINE)
    if action.outside and not host.neighbour:
        return CommandResult(line, failed=NO_LAN)
    opened = (Namespace.of_path_inside, host.pid, host.neighbour) if action.outside else (Namespace.of_pid, host.pid)
    with await asyncio.to_thread(*opened) as namespace:
        reply = await request(namespace, action.address, action.port, path=action.path)
    if reply.status is None:
        return CommandResult(line, failed=reply.error or "No response.")
    head = "\n".join(f"{name}: {value}" for name, value in reply.headers)
    return CommandResult(
        line, printable(f"HTTP/1.1 {reply.status} {reply.reason}\n{head}\n\n{reply.body_start}".strip())
    )


async def _change_firewall(host: WorkshopHost, line: str, action: actions.ChangeFirewall) -> CommandResult:
    if not host.neighbour or host.pid is None:
        return CommandResult(line, failed=NO_LAN)
    argv = list(action.argv)
    if argv[0] == "ufw":
        place = host.data_dir / "hosts" / Path(host.endpoint).parent.name / "ufw"
        try:
            argv = await asyncio.to_thread(ufw_command, place, host.data_dir / "cache", argv[1:])
        except LabImageUnavailableError as error:
            return CommandResult(line, failed=str(error))
    codes: list[int | None] = []
    with await asyncio.to_thread(Namespace.of_pid, host.pid) as namespace:
        output = run_inside(namespace, argv, limit_bytes=MAX_OUTPUT_BYTES, on_exit=codes.append)
        async with aclosing(output) as pieces:
            text = printable("".join([piece async for piece in pieces]).strip("\n"))
    return CommandResult(line, text) if codes == [0] else CommandResult(line, failed=text or "The command failed.")


async def _inspect(host: WorkshopHost, line: str, action: actions.Inspect) -> CommandResult:
    if host.pid is None:
        return CommandResult(line, failed=REMOTE_ENGINE)
    pid, files = host.pid, ("/etc/resolv.conf", "/etc/hosts")
    if action.container:
        facts = await host.engine.inspect_container(action.container)
        if not facts.running or not facts.pid:
            return CommandResult(line, failed=f"The container {action.container} is not running.")
        pid, files = facts.pid, (facts.resolv_conf_path, facts.hosts_path)
    resolv_conf, hosts, unread = await asyncio.to_thread(read_name_files, host.pid, *files)
    argv = action.argv
    if shutil.which(argv[0]) is None and shutil.which("busybox") is not None:
        argv = ("busybox", *argv)
    with await asyncio.to_thread(Namespace.of_pid, pid) as namespace:
        output = run_inside(namespace, argv, resolv_conf=resolv_conf, hosts=hosts, limit_bytes=MAX_OUTPUT_BYTES)
        async with aclosing(output) as pieces:
            text = "".join([piece async for piece in pieces])
    if action.grep:
        text = "\n".join(line for line in text.splitlines() if action.grep in line)
    return CommandResult(line, printable(unread + text.expandtabs().strip("\n")))


async def _run_on_engine(host: WorkshopHost, action: actions.Action) -> str:
    engine = host.engine
    match action:
        case actions.Stop():
            await asyncio.gather(*(_stop(host, name) for name in action.names))
            return "\n".join(action.names)
        case actions.Remove():
            return await remove_containers(engine, action.names, force=action.force)
        case actions.CreateNetwork():
            return await engine.create_network(action.name, action.driver, dict(host.labels), dict(action.options))
        case actions.RemoveNetwork():
            networks = [network.id for network in await engine.networks({}) if network.name == action.name]
            if not networks:
                raise EngineError(f"network {action.name} not found", 404)
            # Before API 1.44 several networks may have one name. The Engine then refuses the name, with an explanation.
            await engine.remove_network(networks[0] if len(networks) == 1 else action.name)
            return action.name
        case actions.ChangeSwarm(leave=True):
            await leave(host.endpoint)
            return "Node left the swarm."
        case actions.ChangeSwarm():
            return f"Swarm initialized: current node ({await init(host.endpoint, action.address)})."
        case actions.Pull():
            choice = await _ensure_image(host, action.image)
            return choice.sentence or f"The image {choice.reference} is available."
        case actions.ListContainers():
            return container_table(await engine.containers({}), show_all=action.show_all)
        case actions.ShowLogs():
            return printable("\n".join(await engine.container_logs(action.name)))
        case actions.ShowPorts():
            ports = (await engine.inspect_container(action.name)).published
            return "\n".join(f"{p.container_port}/{p.protocol} -> {p.host_address}:{p.host_port}" for p in ports)
    raise ValueError(f"unknown action {action}")


async def _stop(host: WorkshopHost, name: str) -> None:
    """Stops a container. If it was started with ``--rm``, waits until it is removed, so that the next command can use
    its name."""
    facts = await host.engine.inspect_container(name)
    await host.engine.stop_container(facts.id)
    if facts.auto_remove:
        await wait_removed(host.engine, facts.id)


def container_table(containers: tuple[ContainerFacts, ...], *, show_all: bool) -> str:
    """Returns the output of ``docker ps``, with the containers' networks. ``show_all`` is the option ``--all``."""
    rows = [("NAME", "IMAGE", "STATUS", "NETWORK")]
    rows += [(c.name, c.image, c.status, c.network_mode) for c in containers if c.running or show_all]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return printable("\n".join(line.rstrip() for line in lines))

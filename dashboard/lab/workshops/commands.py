"""Does what a line of a workshop says, on the host where somebody works, and tells what came of it."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from dashboard.core.comparison.text_table import printable
from dashboard.core.training.capacity import refuse_more
from dashboard.core.workshops.commands import (
    Action,
    Ask,
    Launch,
    ListContainers,
    Look,
    MakeNetwork,
    Pull,
    Remove,
    RemoveNetwork,
    ShowLogs,
    ShowPorts,
    Stop,
)
from dashboard.engine.images import ensure_image
from dashboard.engine.protocol import ContainerFacts, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL, Context
from dashboard.lab.workshops.snapshot import WorkshopHost
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_inside
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.request import request

log = logging.getLogger(__name__)

#: Stands on what a button has made, besides the installation's own label.
LABEL_WORKSHOP = "dev.netmodes.workshop"
LONGEST = 20_000
SERVES_S = 3.0
LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one line. ``failed`` is the Engine's own sentence or ours; ``warnings`` are the Engine's."""

    line: str
    output: str = ""
    warnings: tuple[str, ...] = ()
    failed: str = ""


def workshop_host(context: Context) -> WorkshopHost:
    """The engine of this server, as the place where somebody works."""
    return WorkshopHost.of(context, {LABEL: context.installation, LABEL_WORKSHOP: "yes"})


async def do(host: WorkshopHost, line: str, action: Action) -> Done:
    """Carries the line out. A refusal is an answer; EngineUnreachable if the engine does not answer."""
    try:
        match action:
            case Launch():
                return await _launch(host, line, action)
            case Ask():
                return await _ask(host, line, action)
            case Look():
                return await _look(host, line, action)
            case _:
                return Done(line, await _engine(host, action))
    except EngineUnreachable:
        raise
    except EngineError as error:
        return Done(line, failed=str(error))
    except NamespaceGone:
        return Done(line, failed="The container ended while it was looked at.")
    except OSError as error:
        return Done(line, failed=f"That cannot be done: {error.strerror or error}.")


async def prepare(host: WorkshopHost, images: tuple[str, ...]) -> str:
    """Gets the images that a workshop needs where that costs nobody anything: on a private host. Returns what a
    person should know, empty if all is well."""
    said = []
    for image in images if host.private else ():
        try:
            said.append((await ensure_image(host.engine, image, host.data_dir, _quietly, private=True)).sentence)
        except EngineUnreachable:
            raise
        except EngineError as error:
            said.append(str(error))
    return " ".join(dict.fromkeys(one for one in said if one))


async def clean_up(host: WorkshopHost) -> int:
    """Removes what buttons have made here; what was typed is left alone. Returns how many containers there were."""
    containers = await host.engine.containers(dict(host.labels))
    await asyncio.gather(*(_surely(host.engine.remove_container, one.id) for one in containers))
    for network in await host.engine.networks(dict(host.labels)):
        await _surely(host.engine.remove_network, network.id)
    return len(containers)


async def _surely(remove: Callable[[str], Awaitable[None]], identity: str) -> None:
    try:
        await remove(identity)
    except EngineUnreachable:
        raise
    except EngineError as error:
        log.warning("%s could not be removed: %s", identity[:12], error)


def _quietly(_text: str, _fraction: float | None) -> None:
    """Nobody looks at the progress of an image here."""


async def _launch(host: WorkshopHost, line: str, action: Launch) -> Done:
    run = action.run
    if host.most_containers:
        there = len(await host.engine.containers({}))
        if problem := refuse_more("containers", there, 1, host.most_containers):
            return Done(line, failed=problem)
    choice = await ensure_image(host.engine, run.image, host.data_dir, _quietly, private=host.private)
    config = {**run.labelled(host.labels), "Image": choice.reference}
    created = await host.engine.create_container(run.name, config)
    warnings = (*created.warnings, *((choice.sentence,) if choice.sentence else ()))
    try:
        await host.engine.start_container(created.id)
    except EngineUnreachable:
        raise
    except EngineError as error:
        return Done(line, created.id[:12], warnings, str(error))
    await _until_it_serves(host, created.id)
    return Done(line, created.id, warnings)


async def _until_it_serves(host: WorkshopHost, container: str) -> None:
    """A moment for the program to open its port, so that the next button finds it; not longer than ``SERVES_S``."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SERVES_S
    while loop.time() < end:
        try:
            facts = await host.engine.inspect_container(container)
            if not facts.running or await asyncio.to_thread(_serves, facts):
                return
        except EngineUnreachable:
            raise
        except (EngineError, NamespaceGone, OSError):
            return
        await asyncio.sleep(LOOK_S)


def _serves(facts: ContainerFacts) -> bool:
    if facts.network_mode == "host":
        # Whose socket it is would have to be searched: port 80 is what the lab image opens.
        with Namespace.of_pid(facts.pid) as namespace:
            return any(one.port == 80 for one in read_listeners(namespace))
    with Namespace.of_pid(facts.pid) as namespace:
        return any(one.inode and not one.address.startswith("127.0.0.11") for one in read_listeners(namespace))


async def _ask(host: WorkshopHost, line: str, action: Ask) -> Done:
    if host.pid is None:
        return Done(line, failed="The engine is no process of this machine: ask from a terminal there.")
    with await asyncio.to_thread(Namespace.of_pid, host.pid) as namespace:
        reply = await request(namespace, action.address, action.port, path=action.path)
    if reply.status is None:
        return Done(line, failed=reply.error or "No answer.")
    head = "\n".join(f"{name}: {value}" for name, value in reply.headers)
    return Done(line, printable(f"HTTP/1.1 {reply.status} {reply.reason}\n{head}\n\n{reply.body_start}".strip()))


async def _look(host: WorkshopHost, line: str, action: Look) -> Done:
    if host.pid is None:
        return Done(line, failed="The engine is no process of this machine: look from a terminal there.")
    pid, files = host.pid, ("/etc/resolv.conf", "/etc/hosts")
    if action.container:
        facts = await host.engine.inspect_container(action.container)
        if not facts.running or not facts.pid:
            return Done(line, failed=f"The container {action.container} does not run.")
        pid, files = facts.pid, (facts.resolv_conf_path, facts.hosts_path)
    resolv_conf, hosts = [await asyncio.to_thread(read_inside, host.pid, one) if one else None for one in files]
    argv = action.argv
    if shutil.which(argv[0]) is None and shutil.which("busybox") is not None:
        argv = ("busybox", *argv)
    with await asyncio.to_thread(Namespace.of_pid, pid) as namespace:
        text = await _collected(run_inside(namespace, argv, resolv_conf=resolv_conf, hosts=hosts, limit_bytes=LONGEST))
    if action.keep:
        text = "\n".join(one for one in text.splitlines() if action.keep in one)
    return Done(line, printable(text.expandtabs().strip("\n")))


async def _collected(pieces: AsyncGenerator[str]) -> str:
    async with aclosing(pieces):
        return "".join([text async for text in pieces])


async def _engine(host: WorkshopHost, action: Action) -> str:
    """What only the Engine is asked for."""
    engine = host.engine
    match action:
        case Stop():
            await asyncio.gather(*(_stop(host, name) for name in action.names))
            return "\n".join(action.names)
        case Remove():
            for name in action.names:
                facts = await engine.inspect_container(name)
                if facts.running and not action.force:
                    raise EngineError(f"cannot remove container {name}: container is running: stop it first", 409)
                await engine.remove_container(facts.id)
            return "\n".join(action.names)
        case MakeNetwork():
            return await engine.create_network(action.name, "bridge", dict(host.labels), dict(action.options))
        case RemoveNetwork():
            if all(one.name != action.name for one in await engine.networks({})):
                raise EngineError(f"network {action.name} not found", 404)
            await engine.remove_network(action.name)
            return action.name
        case Pull():
            choice = await ensure_image(engine, action.image, host.data_dir, _quietly, private=host.private)
            return choice.sentence or f"The image {choice.reference} is here."
        case ListContainers():
            return table_of(await engine.containers({}), ended_too=action.ended_too)
        case ShowLogs():
            return printable("\n".join(await engine.container_logs(action.name)))
        case ShowPorts():
            ports = (await engine.inspect_container(action.name)).published
            return "\n".join(f"{p.container_port}/{p.protocol} -> {p.host_address}:{p.host_port}" for p in ports)
    raise ValueError(f"nobody does {action}")


async def _stop(host: WorkshopHost, name: str) -> None:
    """Stops; one that was launched with ``--rm`` is waited for until it is gone, as the docker command does."""
    facts = await host.engine.inspect_container(name)
    await host.engine.stop_container(facts.id)
    loop = asyncio.get_running_loop()
    end = loop.time() + SERVES_S
    while loop.time() < end:
        try:
            if (await host.engine.inspect_container(facts.id)).status not in {"removing", "dead"}:
                break
        except EngineUnreachable:
            raise
        except EngineError:
            break
        await asyncio.sleep(LOOK_S)


def table_of(containers: tuple[ContainerFacts, ...], *, ended_too: bool) -> str:
    """``docker ps``, with the network mode."""
    rows = [("NAME", "IMAGE", "STATUS", "NETWORK")]
    rows += [(c.name, c.image, c.status, c.network_mode) for c in containers if c.running or ended_too]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return printable("\n".join(line.rstrip() for line in lines))

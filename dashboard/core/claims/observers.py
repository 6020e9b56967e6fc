"""Observations that several claims share: each executes the lines of a claim, then reads the result."""

from collections.abc import Mapping, Sequence

from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, run_script
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import NEIGHBOUR, Container, Datagram, Place, Response, Testbed, Timing, Transfer
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Lookup, NamespaceState
from dashboard.core.paths.nat_rules import packets_to

#: A name that only the DNS server of a VPN knows.
VPN_NAME, VPN_ADDRESS = "wiki.vpn.example", "198.51.100.7"
#: How often to wait another second for a program to listen or to exit.
EXIT_TRIES = 20

#: The network states of the machine and of the container.
States = tuple[NamespaceState, NamespaceState]
#: The network states of the machine and of the container, and the name of the default bridge.
BridgeStates = tuple[NamespaceState, NamespaceState, str]
#: A container and its network state.
ContainerState = tuple[Container, NamespaceState]
#: The number of processes and their memory in KiB.
Proxies = tuple[int, int]
Namespaces = tuple[Mapping[str, int], Mapping[str, int]]
Files = tuple[str, str]
#: A lookup, and the address of the container that has the name.
AddressedLookup = tuple[Lookup, str]
#: A container, and whether its program listens on the port.
ServerOutcome = tuple[Container, bool]
#: The packets that the DNAT rule counted before and after a request, the response, and the container's gateway.
DnatRequest = tuple[int, int, Response, str]


async def run_lines(testbed: Testbed, *lines: str) -> list[Container]:
    """Executes ``docker network create`` and ``docker run`` lines in order; returns the containers in this order."""
    containers = []
    for line in lines:
        if line.startswith("docker network create"):
            await testbed.create_network(line)
        else:
            containers.append(await testbed.run(line))
    return containers


@prepared
async def observe_refusal(testbed: Testbed, *lines: str) -> Container:
    """Runs the docker commands ``lines``; returns the container of the last command. The Engine may refuse this
    container."""
    await run_lines(testbed, *lines[:-1])
    return await testbed.try_run(lines[-1])


@prepared
async def observe_container(testbed: Testbed, *lines: str) -> Container:
    """Runs the docker commands ``lines``; returns the container that the last one created."""
    return (await run_lines(testbed, *lines))[-1]


@prepared
async def observe_state(testbed: Testbed, *lines: str) -> NamespaceState:
    """Runs the docker commands ``lines``; returns the network state of the container that the last one created."""
    return await testbed.state((await run_lines(testbed, *lines))[-1])


@prepared
async def observe_states(testbed: Testbed, *lines: str) -> States:
    """Runs the lines; returns the network states of the machine and of the container that the last line created."""
    container = (await run_lines(testbed, *lines))[-1]
    return await testbed.state(MACHINE), await testbed.state(container)


async def wait_served_or_exited(testbed: Testbed, container: Container, port: int) -> ServerOutcome:
    """Waits until the container's program listens on the port or has exited, but at most about ``EXIT_TRIES`` seconds.

    Returns the container, and whether its program listens. In host mode, programs of other containers listen in the
    same namespace, so the socket must have this container's id or pid. The pid alone is not enough: an Engine in
    another pid namespace, as on private hosts, reports a different pid.
    """
    for _ in range(EXIT_TRIES):
        container = await testbed.wait_exited(container, within_s=1)
        if container.status != "running":
            break
        listeners = (await testbed.state(container)).listeners
        pid = container.setting("State", "Pid")
        if any(one.port == port and (one.container == container.id or one.pid == pid) for one in listeners):
            return container, True
    return container, False


@prepared
async def observe_container_and_state(testbed: Testbed, *lines: str) -> ContainerState:
    """Runs the lines; returns the container that the last one created, and its network state."""
    container = (await run_lines(testbed, *lines))[-1]
    return container, await testbed.state(container)


@prepared
async def observe_proxies(testbed: Testbed, line: str, ports: range) -> Proxies:
    """Runs the line, which publishes ``ports``; returns the number of docker-proxy processes that listen on these
    ports, and the memory of these processes in KiB."""
    await testbed.run(line)
    listeners = (await testbed.state(MACHINE)).listeners
    held = (one for one in listeners if one.port in ports and one.process == "docker-proxy")
    pids = sorted({listener.pid for listener in held if listener.pid})
    return len(pids), await testbed.memory_kib(pids)


@prepared
async def observe_default_bridge(testbed: Testbed, *lines: str) -> BridgeStates:
    """Runs the lines; returns the network states of the machine and of the last container, and the name of the default
    bridge."""
    bridge = await testbed.default_bridge()
    machine, inside = await observe_states(*lines)(testbed)
    return machine, inside, bridge


@prepared
async def observe_namespaces(testbed: Testbed, line: str) -> Namespaces:
    """Runs the line; returns the namespaces of the machine and of the container."""
    container = await testbed.run(line)
    return await testbed.namespaces(MACHINE), await testbed.namespaces(container)


@prepared
async def observe_resolv_conf(testbed: Testbed, *lines: str) -> str:
    """Runs the lines; returns the resolv.conf of the last container."""
    return await testbed.read_file((await run_lines(testbed, *lines))[-1], "/etc/resolv.conf")


@prepared
async def observe_files(testbed: Testbed, path: str, text: str, line: str) -> Files:
    """Replaces the machine's file ``path`` by ``text``, then runs the line; returns the content of the file on the
    machine and in the container."""
    await testbed.write_file(path, text)
    container = await testbed.run(line)
    return await testbed.read_file(MACHINE, path), await testbed.read_file(container, path)


@prepared
async def observe_lookup(testbed: Testbed, name: str, *lines: str) -> AddressedLookup:
    """Runs the lines, which create two containers, and resolves ``name`` in the second one; returns the lookup and the
    address of the first container."""
    first, second = await run_lines(testbed, *lines)
    return await testbed.lookup(second, name), first.address


@prepared
async def observe_machine_server(testbed: Testbed, line: str, address: str, port: int = 0) -> Response:
    """Starts a server on the machine at this address, runs the line, and sends a request from the container to the
    server. ``address`` is an IP address, or ``@name`` for an abstract unix socket, which needs no ``port``."""
    await testbed.serve_on_machine(address, port)
    return await testbed.request(await testbed.run(line), address, port)


@prepared
async def observe_dnat(testbed: Testbed, line: str, address: str, port: int) -> DnatRequest:
    """Runs the line, which publishes the port, and sends a request to the port at ``address``. Returns the packet
    counter of the port's DNAT rule before the request, the counter after it, the response, and the container's
    gateway."""
    container = await testbed.run(line)
    await testbed.wait_listening(container, 80)
    before = packets_to(await testbed.nat_rules(), port)
    response = await testbed.request(MACHINE, address, port)
    return before, packets_to(await testbed.nat_rules(), port), response, container.gateway


@prepared
async def observe_timing(testbed: Testbed, line_a: str, line_b: str, question: str) -> Timing:
    """Launches two containers and compares the times of two paths to them. ``question`` names the two paths, such as
    ``two/published-proxy against one/loopback``."""
    return await testbed.measure(line_a, line_b, question)


@prepared
async def observe_datagram(
    testbed: Testbed, lines: Sequence[str], sender: str, receiver: str, address: str, port: int
) -> Datagram:
    """Runs the lines and sends a datagram from ``sender`` to a socket of ``receiver``. Each of the two is ``MACHINE``,
    ``NEIGHBOUR`` or a container's name."""
    containers = await run_script(testbed, lines)
    outgoing: Place = containers.get(sender, sender)
    incoming: Place = containers.get(receiver, receiver)
    return await testbed.send_datagram(outgoing, incoming, address, port)


@prepared
async def observe_transfers(
    testbed: Testbed, lines: Sequence[str], sender: str, port: int, *sizes: int
) -> tuple[Transfer, ...]:
    """Runs the lines and sends data from the container ``sender`` to the neighbour: one transfer for each of ``sizes``
    (in bytes)."""
    container = (await run_script(testbed, lines))[sender]
    return tuple([await testbed.transfer(container, NEIGHBOUR, NEIGHBOUR_ADDRESS, port, size) for size in sizes])


@prepared
async def observe_names(testbed: Testbed, lines: Sequence[str], client: str, *names: str) -> tuple[Lookup, ...]:
    """Runs the lines and resolves each name in the container ``client``."""
    container = (await run_script(testbed, lines))[client]
    return tuple([await testbed.lookup(container, name) for name in names])


@prepared
async def observe_vpn_name(testbed: Testbed, line: str, resolv_conf: str, *networks: str) -> tuple[Lookup, ...]:
    """Resolves ``wiki.vpn.example`` in a container while the machine is configured like one that runs systemd-resolved
    and is connected to a VPN. ``resolv_conf`` is the machine's resolv.conf. A DNS server on the machine, at 127.0.0.53,
    knows the name. ``networks`` are commands that create networks; ``line`` then starts the container. Returns one
    lookup."""
    await testbed.write_file("/etc/resolv.conf", resolv_conf)
    await testbed.answer_names("127.0.0.53", {VPN_NAME: VPN_ADDRESS})
    container = (await run_lines(testbed, *networks, line))[-1]
    return (await testbed.lookup(container, VPN_NAME),)

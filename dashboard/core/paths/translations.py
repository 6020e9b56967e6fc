"""The nat rules that lead to published ports, as Netmodes read them from the kernel. Earlier versions did not record
rules: in their records, the rules are inferred from the ports that the Engine published."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from msgspec import UnsetType

from dashboard.core.experiments.launching.ports import may_belong_to
from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name, is_rootless_forwarder, keeps_family
from dashboard.core.namespaces.state import Family, Listener, NamespaceState, Protocol, Translation
from dashboard.core.paths.model import ANY_ADDRESS, VethLink, family_of, inner_address

_LOOPBACK_NETWORKS = {Family.INET: "127.0.0.0/8", Family.INET6: "::1/128"}


@dataclass(frozen=True, slots=True)
class TranslationResult:
    """The nat rule that applies to a request, None if no rule does. If it is not known which rule applies, ``unknown``
    is the reason."""

    translation: Translation | None = None
    unknown: str = ""


def find_translation(rules: Iterable[Translation], protocol: str, address: str, port: int) -> TranslationResult:
    """Returns the rule for packets to ``port`` at ``address``. The result is unknown if only rules with a condition
    match, because Netmodes does not evaluate conditions."""
    matching = [rule for rule in rules if (rule.protocol, rule.port) == (protocol, port) and covers(rule, address)]
    exact = next((rule for rule in matching if not rule.condition), None)
    if exact is not None or not matching:
        return TranslationResult(exact)
    endpoint = format_endpoint(address, port)
    condition = matching[0].condition
    return TranslationResult(
        unknown=f"a nat rule for {endpoint} has a condition that Netmodes does not evaluate: {condition}"
    )


def covers(rule: Translation, address: str) -> bool:
    """Whether a rule applies to packets to ``address``, regardless of protocol and port."""
    if rule.family != family_of(address):
        return False
    if rule.address and not _is_in(address, rule.address):
        return False
    return not any(_is_in(address, network) for network in rule.excluded)


@lru_cache(maxsize=4096)
def _is_in(address: str, network: str) -> bool:
    """Whether an address is in a network; False for malformed texts."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def translations(
    column: Column, machine: NamespaceState, veths: Sequence[VethLink], family: Family
) -> tuple[tuple[Translation, ...], str]:
    """Returns the machine's translation rules of a family, and the reason if they are unknown (otherwise empty). If no
    rules were recorded, they are inferred from the published ports of ``column``."""
    if isinstance(machine.firewall, UnsetType):
        inner, _ = inner_address(veths, family)
        # Over IPv6 docker-proxy also serves containers without an IPv6 address.
        unknown = "" if inner or family is Family.INET6 else f"no observed address of {column.title} is behind a bridge"
        return tuple(_infer(column, machine, family, inner)), unknown
    unread = machine.firewall.why_unread(family)
    rules = tuple(rule for rule in machine.firewall.translations if rule.family == family)
    return rules, f"the machine's nat rules cannot be read: {unread}" if unread else ""


def _infer(column: Column, machine: NamespaceState, family: Family, inner: str) -> Iterator[Translation]:
    """Yields the rules that Docker sets by default for the published ports. ``inner`` is the container's address;
    without it, there are no rules. The rules exclude loopback, unless dockerd holds the port, as it does without
    docker-proxy (Moby, libnetwork/drivers/bridge)."""
    for port in column.published if inner else ():
        if port.host_port and covers_family(port, family):
            bound = "" if port.host_address in {"", ANY_ADDRESS[family]} else port.host_address
            holder = next((one.process for one in listeners_on(machine, "tcp", family, port.host_port)), None)
            excluded = () if holder == "dockerd" else (_LOOPBACK_NETWORKS[family],)
            rule = Translation(
                Protocol(port.protocol), family, port.host_port, inner, port.container_port, bound, excluded
            )
            if not bound or covers(rule, bound):
                yield rule


def mappings_of(
    column: Column,
    machine: NamespaceState,
    family: Family,
    protocol: str = Protocol.TCP,
    program: NamespaceState | None = None,
) -> list[PublishedPort]:
    """Returns the published ports of the column that lead to its own port, and that the machine opens over ``family``.

    The forwarder of a rootless Podman may listen on both families although Podman names 0.0.0.0 only. The mapping is
    then returned for both. If the forwarder connects to the program over the family of the request (``keeps_family``),
    the program must listen on ``family``, too. ``program`` is the namespace of the program; if it is None, the program
    is assumed to listen on it.
    """
    port = column.port or 80
    listening = program is None or any(listeners_on(program, protocol, family, port))
    found = []
    for one in column.published:
        if (one.container_port, one.protocol) != (port, protocol) or not one.host_port:
            continue
        if covers_family(one, family):
            found.append(one)
        elif one.host_address in ANY_ADDRESS.values() and any(
            is_rootless_forwarder(listener.process) and (listening or not keeps_family(listener.process))
            for listener in listeners_on(machine, one.protocol, family, one.host_port)
        ):
            found.append(replace(one, host_address=ANY_ADDRESS[family]))
    return found


def udp_port(column: Column, machine: NamespaceState, veths: Sequence[VethLink], address: str) -> tuple[int, str]:
    """Returns the UDP port at ``address`` that leads to the column's port, and an empty text. Without such a port,
    returns 0 and the reason. The reason is empty if no UDP port is published. Only a nat rule or the socket of a
    forwarder proves that a port leads to the column's port."""
    port, family = column.port or 80, family_of(address)
    published = [one for one in column.published if (one.container_port, one.protocol) == (port, Protocol.UDP)]
    if not published:
        return 0, ""
    why = f"port {port}/udp is published on {published[0].host_address} only"
    rules, unread = translations(column, machine, veths, family)
    for mapping in mappings_of(column, machine, family, Protocol.UDP):
        if mapping.host_address not in {"", ANY_ADDRESS[family], address}:
            continue
        endpoint = format_endpoint(address, mapping.host_port)
        result = find_translation(rules, Protocol.UDP, address, mapping.host_port)
        sockets = listeners_on(machine, Protocol.UDP, family, mapping.host_port, address)
        if result.translation is not None or (
            not result.unknown and any(forwarder_name(listener.process) for listener in sockets)
        ):
            return mapping.host_port, ""
        no_rule = f"no nat rule of the machine translates {endpoint} over UDP, and no forwarder has a UDP socket there"
        why = result.unknown or unread or no_rule
    return 0, why


def covers_family(port: PublishedPort, family: Family) -> bool:
    """Whether a mapping applies to addresses of this family."""
    return port.host_address == "" or family_of(port.host_address) == family


def held_by_another(column: Column, machine: NamespaceState, address: str) -> str:
    """Returns a clause on the program of the machine or of another container that holds the port of a container in the
    machine's namespace. Empty if no socket listens on that port, or if one of those that accept connections to
    ``address`` may be the container's own. If none accepts them, all sockets on the port count."""
    port = column.port or 80
    on_port = [one for one in machine.listeners if (one.protocol, one.port) == (Protocol.TCP, port)]
    listeners = [*listeners_on(machine, Protocol.TCP, family_of(address), port, address)] or on_port
    if not listeners or any(may_belong_to(one, column) for one in listeners):
        return ""
    owner = "another container" if listeners[0].container else "the machine"
    return f"{listeners[0].process} of {owner} holds port {port}: a request would not reach {column.title}"


def listeners_on(
    machine: NamespaceState, protocol: str, family: Family, port: int, address: str = ""
) -> Iterator[Listener]:
    """Yields the sockets that accept connections of ``family`` to a port, those of docker-proxy first. If ``address``
    is given, yields only sockets that accept connections to that address."""
    found = (
        listener
        for listener in machine.listeners
        if listener.protocol == protocol
        and listener.port == port
        and (listener.family == family or listener.v6only is False)
        and (not address or listener.address in {address, *ANY_ADDRESS.values()})
    )
    yield from sorted(found, key=lambda listener: (listener.process != DOCKER_PROXY, not listener.process))

"""Finds what identifies the machine on which a report was made.

Keys and titles of columns and the names of Netmodes' containers and images are never treated as identifiers. There is
one exception: if the key of an arm contains the name of a machine that has joined the installation, this name is
replaced.
"""

import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from dashboard.core.experiments.journal import Attempt, Cause, Source
from dashboard.core.experiments.machines.parts import SERVER_NAME
from dashboard.core.experiments.messages import Column, ContainerRef, EngineRef
from dashboard.core.measurements.measurement import Environment, Options, SeriesResult
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.core.namespaces.delta import Changes
from dashboard.core.namespaces.hosts_file import is_address
from dashboard.core.namespaces.state import HostsEntry, Interface, Listener, Lookup, NamespaceState, Resolver, Route
from dashboard.core.paths.model import MACHINE_KEY, Path
from dashboard.core.reports.anonymisation.pseudonyms import Address, Network
from dashboard.core.reports.model import ClaimResult, ReportContent

#: Names that many machines have in common, and the search domain that claims use.
KNOWN_NAMES = frozenset(
    """localhost localhost.localdomain localhost4 localhost6 localhost4.localdomain4 localhost6.localdomain6
    broadcasthost ip6-localhost ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters ip6-allhosts
    host.docker.internal gateway.docker.internal kubernetes.docker.internal example.com example.org example.net
    docker.io index.docker.io registry-1.docker.io ghcr.io quay.io lab.example""".split()  # noqa: SIM905 - read as one list
)
#: Words of Docker and Netmodes. A host of such a name is replaced in fields for names only.
COMMON_WORDS = frozenset(
    """machine docker dockerd containerd nginx busybox linux debian ubuntu server client loopback resolver published
    address listener network container running stopped engine kernel person netmodes lab owner root host port
    """.split()  # noqa: SIM905 - read as one list
) | {str(mode) for mode in Mode}
#: Fields that hold names.
NAMES: dict[type[Any], tuple[str, ...]] = {
    NamespaceState: ("hostname",),
    Changes: ("hostname",),
    HostsEntry: ("names",),
    Resolver: ("search",),
    Lookup: ("name",),
    ArmSpec: ("hostname",),
    ExperimentSpec: ("names",),
    Options: ("lookup_name",),
    Path: ("host_name",),
}
#: Shorter arguments and values are not replaced in other texts.
MIN_ARGUMENT = 8
REMOVED = "[removed]"
_LONG_ID = re.compile(r"(?<![0-9a-f])(?<!sha256:)[0-9a-f]{64}(?![0-9a-f])")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9A-Fa-f:])")
#: An interface that systemd named after its MAC address (systemd.net-naming-scheme(7)).
_NAMED_BY_MAC = re.compile(r"\b(?:en|wl|ww)x([0-9a-f]{12})\b")
#: The engine's name in ``ClaimResult.engine``; neither the id of a private host nor an address.
_ENGINE_NAME = re.compile(r" \((?!private host )([^/]+)\)$")
#: The machine's host name in the evidence of claims about host names.
_EVIDENCE_NAME = re.compile(r"^(?:machine: host name (\S+),|host name of the machine: (\S+)$)")
#: The search domains in the evidence of claims about resolv.conf.
_EVIDENCE_SEARCH = re.compile(r"[:;] (?:search|domain) ([^;]+)")


@dataclass(slots=True)
class Identifiers:
    """What identifies a machine.

    ``names`` are host names. ``words`` are those of them that may also be ordinary words: they are replaced only where
    a name is expected. ``machines`` are the names of machines that have joined the installation. ``keys`` maps the key
    of an arm to the machine name that it contains. ``commands`` maps command lines and arguments to their replacements.
    ``settings`` maps environment variables (``KEY=VALUE``) and their values to their replacements.
    """

    names: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    macs: set[str] = field(default_factory=set)
    authors: set[str] = field(default_factory=set)
    installations: set[str] = field(default_factory=set)
    endpoints: set[str] = field(default_factory=set)
    commands: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    networks: set[Network] = field(default_factory=set)
    addresses: set[Address] = field(default_factory=set)


def _walk(value: Any) -> Iterator[Any]:
    """Yields every text and every dataclass in a value, including keys of mappings. An ``Environment`` is yielded, but
    its fields are not."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, Enum):
            continue
        if isinstance(one, str):
            yield one
        elif isinstance(one, tuple):
            stack.extend(one)
        elif isinstance(one, Mapping):
            stack.extend((*one, *one.values()))
        elif is_dataclass(one):
            yield one
            if not isinstance(one, Environment):
                stack.extend(getattr(one, part.name) for part in fields(one))


def iterate_records(value: Any) -> Iterator[Any]:
    """Yields every dataclass in a value, including the value itself."""
    return (one for one in _walk(value) if not isinstance(one, str))


def collect_texts(value: Any) -> set[str]:
    """Returns the set of texts in a value, including the keys of mappings."""
    return {one for one in _walk(value) if isinstance(one, str)}


def find_identifiers(content: ReportContent) -> Identifiers:
    """Returns everything in a report's content that identifies the machine."""
    identifiers = Identifiers()
    own: set[str] = set()
    for record in iterate_records(content):
        _collect(record, identifiers, own)
    if content.author:
        identifiers.authors.add(content.author)
    if content.installation:
        identifiers.installations.add(content.installation)
    known = KNOWN_NAMES | own | {""}
    identifiers.names = {name for name in identifiers.names if name.lower() not in known and not is_address(name)}
    identifiers.names |= identifiers.machines
    identifiers.authors -= COMMON_WORDS | own
    identifiers.words = {name for name in identifiers.names if name.lower() in COMMON_WORDS | own}
    for text in collect_texts(content):
        identifiers.ids.update(_LONG_ID.findall(text))
        identifiers.macs.update(_MAC.findall(text))
        identifiers.macs.update(":".join(re.findall("..", mac)) for mac in _NAMED_BY_MAC.findall(text))
        identifiers.addresses.update(_addresses(text))
    return identifiers


def _addresses(text: str) -> Iterator[Address]:
    for word in _ADDRESS.findall(text):
        try:
            yield ipaddress.ip_address(word.strip(".") if "." in word else word)
        except ValueError:
            continue


def _collect(one: Any, identifiers: Identifiers, own: set[str]) -> None:
    for name in NAMES.get(type(one), ()):
        value = getattr(one, name)
        identifiers.names.update((value,) if isinstance(value, str) else value or ())
    if isinstance(one, Path | Attempt | SeriesResult):
        client = one.origin if isinstance(one, Attempt) else one.client
        if client.startswith(MACHINE_KEY):
            identifiers.names.add(client.removeprefix(MACHINE_KEY))
    if isinstance(one, EngineRef):
        identifiers.names.add(one.name)
        identifiers.endpoints.update({one.endpoint} - {""})
    elif isinstance(one, (ContainerRef, Listener)):
        identity = one.id if isinstance(one, ContainerRef) else one.container
        if identity:
            identifiers.ids.add(identity)
        if isinstance(one, ContainerRef):
            own.update({one.name.lower(), one.image.lower()})
    elif isinstance(one, Column):
        own.update({one.key.lower(), one.title.lower()})
        _collect_machine(one, identifiers)
    elif isinstance(one, ArmSpec):
        _collect_arm(one, identifiers, own)
        _collect_machine(one, identifiers)
    elif isinstance(one, ClaimResult):
        identifiers.names.update(_names_of_claim(one))
    elif isinstance(one, Cause) and one.source is Source.PERSON and one.actor:
        identifiers.authors.add(one.actor)
    elif isinstance(one, Interface):
        identifiers.networks.update(_networks(f"{a.address}/{a.prefix}" for a in one.addresses))
    elif isinstance(one, Route):
        identifiers.networks.update(_networks([one.destination]))


def _names_of_claim(claim: ClaimResult) -> Iterator[str]:
    """Yields the names of the engine and the machine, and the search domains, that the texts of a claim contain.
    Reports of earlier versions have no ``engine``."""
    yield from _ENGINE_NAME.findall(claim.engine)
    for line in claim.evidence:
        if named := _EVIDENCE_NAME.match(line):
            yield named[1] or named[2]
        for domains in _EVIDENCE_SEARCH.findall(line):
            yield from domains.split()


def _collect_machine(one: Column | ArmSpec, identifiers: Identifiers) -> None:
    if one.machine in {"", SERVER_NAME}:
        return
    identifiers.machines.add(one.machine)
    if re.search(machine_in_key(one.machine), one.key):
        identifiers.keys[one.key] = one.machine


def machine_in_key(machine: str) -> str:
    """Returns a pattern that finds a machine's name in the key of an arm, such as ``bridge-lab2-2``."""
    return rf"(?<=-){re.escape(machine)}(?=(?:-\d+)?$)"


def _networks(texts: Any) -> Iterator[Network]:
    for text in texts:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if 8 <= network.prefixlen < network.max_prefixlen - 1:
            yield network


def shorten_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the name of the program without its folder, followed by ``REMOVED`` if the command has arguments."""
    if not command:
        return ()
    program = command[0].rsplit("/", 1)[-1] or REMOVED
    return (program, REMOVED) if len(command) > 1 else (program,)


def _collect_arm(arm: ArmSpec, identifiers: Identifiers, own: set[str]) -> None:
    own.update({arm.key.lower(), arm.image.lower()})
    if arm.netns:
        identifiers.names.add(arm.netns.rpartition("/")[2])
    host, _, rest = arm.image.partition("/")
    if rest and ("." in host or ":" in host):
        identifiers.names.add(host.partition(":")[0])
    identifiers.names.update(one.partition(":")[0] for one in arm.add_host)
    if arm.command:
        after = " ".join(shorten_command(arm.command))
        for text in (shlex.join(arm.command), " ".join(arm.command)):
            if text != after:
                identifiers.commands[text] = after
        identifiers.commands.update({one: REMOVED for one in arm.command[1:] if len(one) >= MIN_ARGUMENT})
    for key, value in arm.environment.items():
        for text in (f"{key}={value}", shlex.quote(f"{key}={value}")):
            identifiers.settings[text] = f"{key}={REMOVED}"
        if len(value) >= MIN_ARGUMENT:
            identifiers.settings[value] = REMOVED

"""The Docker networks of an experiment: which ones its arms need, how they are created, and what an engine supports.

Sources: Docker Engine API reference (``POST /networks/create``) and its version history, docker-network-create(1).
"""

import hashlib
import ipaddress
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from dashboard.core.experiments.engine_kind import ONLY_PODMAN, EngineKind
from dashboard.core.modes import NETWORK_DRIVERS, PODMAN_MODES, ArmSpec, IPv6, Mode, NetworkAttachment

IFNAME = "com.docker.network.endpoint.ifname"
#: The maximum number of networks of one experiment, apart from those of its modes: Docker's default pools have 31
#: subnets.
MAX_NETWORKS = 8
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
#: Linux, ``dev_valid_name``: at most 15 bytes, without slashes, colons and white space.
_IFNAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NeededNetwork:
    """A network that an experiment needs. The mode decides the driver."""

    mode: Mode
    ipv6: IPv6 = IPv6.OFF


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """How to create a network. ``options`` are those of ``Engine.create_network``."""

    driver: str
    options: dict[str, Any] = field(default_factory=dict)


def network_name(experiment: str, mode: Mode, ipv6: IPv6 = IPv6.OFF) -> str:
    """Returns the name of the network that the experiment creates for a mode, such as ``nm-4f2a-macvlan``."""
    name = f"nm-{experiment}" if mode is Mode.USER_BRIDGE else f"nm-{experiment}-{mode}"
    return name + _suffix(ipv6)


def attached_name(experiment: str, attachment: NetworkAttachment) -> str:
    """Returns the name of a network that arms join in addition to the network of their mode."""
    return f"nm-{experiment}-net-{attachment.name}{_suffix(attachment.ipv6)}"


def _suffix(ipv6: IPv6) -> str:
    """Returns the suffix that stands for the address families in a network's name, such as ``.ipv6``. The dot
    distinguishes the network ``a`` with IPv6 from a network called ``a-ipv6``."""
    return {IPv6.OFF: "", IPv6.ON: ".ipv6", IPv6.ONLY: ".ipv6-only"}[ipv6]


def own_network(experiment: str, arm: ArmSpec, whole: str | None = None) -> str | None:
    """Returns the name of the network of the arm's mode; None if the mode needs none.

    ``experiment`` is the id of the experiment. On several machines, it is the id of one machine's part, and ``whole``
    the id of the experiment on all machines, whose parts share an overlay network.
    """
    if arm.mode is Mode.OVERLAY:
        return network_name(whole or experiment, arm.mode)
    return network_name(experiment, arm.mode, arm.ipv6) if arm.mode in NETWORK_DRIVERS else None


def attached_networks(experiment: str, arm: ArmSpec) -> dict[str, NetworkAttachment]:
    """Returns the arm's additional networks by name, in the order in which the arm lists them."""
    return {attached_name(experiment, attachment): attachment for attachment in arm.networks}


def needed_networks(experiment: str, arms: Iterable[ArmSpec], whole: str | None = None) -> dict[str, NeededNetwork]:
    """Returns the networks that ``arms`` need, by name. ``experiment`` is the id of the experiment, or of its part on
    one machine. ``whole`` is the id of the experiment on all machines."""
    needed: dict[str, NeededNetwork] = {}
    for arm in arms:
        own = own_network(experiment, arm, whole)
        if own is not None:
            needed[own] = NeededNetwork(arm.mode, arm.ipv6)
        for name, attachment in attached_networks(experiment, arm).items():
            needed[name] = NeededNetwork(Mode.USER_BRIDGE, attachment.ipv6)
    return needed


def may_attach_later(status: int, text: str) -> bool:
    """Whether attaching a container to an overlay network may succeed a moment after this error. ``status`` and
    ``text`` are the HTTP status and the message of the error.

    The network may not exist yet, its removal may be in progress, or the swarm's manager did not answer within 20 s
    (moby, daemon/cluster/networks.go). Engine 20.10 reports the error before it removes the incomplete attachment. A
    404 may also mean that the container is missing, so its message must mention a network.
    """
    return (status == HTTPStatus.NOT_FOUND and "network" in text) or "attaching to network failed" in text


def endpoint_settings(attachment: NetworkAttachment) -> dict[str, Any]:
    """Returns the options of an attachment as fields of ``EndpointSettings``."""
    settings: dict[str, Any] = {}
    if attachment.gw_priority:
        settings["GwPriority"] = attachment.gw_priority
    if attachment.ifname:
        settings["DriverOpts"] = {IFNAME: attachment.ifname}
    return settings


def network_option(name: str, attachment: NetworkAttachment) -> str:
    """Returns the value of ``--network`` on a ``docker run`` line for an additional network."""
    options = [f"gw-priority={attachment.gw_priority}"] if attachment.gw_priority else []
    options += [f"driver-opt={IFNAME}={attachment.ifname}"] if attachment.ifname else []
    return ",".join([f"name={name}", *options]) if options else name


def network_request(
    mode: Mode,
    *,
    parent: str | None = None,
    subnet: str | None = None,
    ipv6: IPv6 = IPv6.OFF,
    subnet6: str | None = None,
) -> NetworkRequest:
    """Returns how to create the network that arms of this mode share.

    macvlan and ipvlan need a ``parent`` link of the machine and a ``subnet``: otherwise Docker would take a subnet from
    its own pool, which may be in use on that link. IPv6 needs ``subnet6``, because engines before 27.0 have no pool of
    IPv6 subnets. Raises ValueError if the mode needs no network, or if macvlan or ipvlan lacks the parent or the
    subnet.
    """
    driver = NETWORK_DRIVERS.get(mode)
    if driver is None:
        raise ValueError(f"Mode {mode} has no network of its own.")
    options: dict[str, Any] = {"subnet": subnet}
    if mode in {Mode.MACVLAN, Mode.IPVLAN}:
        if not parent or not subnet:
            raise ValueError(f"A {mode} network needs a parent interface of the machine and a subnet.")
        options["parent"] = parent
    if mode is Mode.OVERLAY:
        options["attachable"] = True  # otherwise only services can use the network
    if ipv6 is not IPv6.OFF:
        options |= {"ipv6": True, "subnet6": subnet6, "ipv4_off": ipv6 is IPv6.ONLY}
    return NetworkRequest(driver, {key: value for key, value in options.items() if value})


def network_line(name: str, request: NetworkRequest) -> str:
    """Returns the ``docker network create`` line that is equivalent to the request, without labels."""
    words = ["docker", "network", "create"]
    words += ["-d", request.driver] if request.driver != "bridge" else []
    words += ["--ipv4=false"] if request.options.get("ipv4_off") else []
    words += ["--ipv6"] if request.options.get("ipv6") else []
    for key in ("subnet", "subnet6"):
        words += ["--subnet", request.options[key]] if key in request.options else []
    words += ["-o", f"parent={request.options['parent']}"] if "parent" in request.options else []
    words += ["--attachable"] if request.options.get("attachable") else []
    return shlex.join([*words, name])


def network_body(name: str, driver: str, labels: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body of ``POST /networks/create``.

    ``options`` are settings such as ``subnet``, ``ipv6`` and ``internal``. ``parent``, and each option with a dot in
    its name, becomes a driver option. The Engine refuses the request if the name exists: ``CheckDuplicate`` demands
    this of engines before API 1.44, which would otherwise create a second network of that name.
    """
    pool = {field: options[key] for key, field in (("subnet", "Subnet"), ("gateway", "Gateway")) if options.get(key)}
    pools = [pool] if pool else []
    pools += [{"Subnet": options["subnet6"]}] if options.get("subnet6") else []
    body: dict[str, Any] = {
        "Name": name,
        "Driver": driver,
        "Labels": dict(labels),
        "Options": {key: str(value) for key, value in options.items() if "." in key or key == "parent"},
        "CheckDuplicate": True,
        "EnableIPv6": bool(options.get("ipv6")),
        "Internal": bool(options.get("internal")),
    }
    if options.get("ipv4_off"):
        body["EnableIPv4"] = False
    if options.get("attachable"):
        body["Attachable"] = True
    if pools:
        body["IPAM"] = {"Driver": "default", "Config": pools}
    return body


def free_subnet(taken: Iterable[str]) -> str:
    """Returns a private /24 that overlaps none of ``taken``. Malformed texts in ``taken`` are ignored.

    The subnet is in 10.213.0.0/16, which neither Docker's default pools nor common home routers use. Raises ValueError
    if none is free.
    """
    used = []
    for subnet in taken:
        try:
            used.append(ipaddress.ip_network(subnet, strict=False))
        except ValueError:
            continue
    for candidate in ipaddress.IPv4Network("10.213.0.0/16").subnets(new_prefix=24):
        if not any(candidate.version == network.version and candidate.overlaps(network) for network in used):
            return str(candidate)
    raise ValueError("No free subnet is left in 10.213.0.0/16: remove unused networks and routes that cover it.")


def local_subnet6(name: str) -> str:
    """Returns an IPv6 /64 for a network, from the unique local addresses (RFC 4193). It is derived from ``name``, so
    networks with different names get different subnets."""
    digest = hashlib.sha256(name.encode()).digest()
    return str(ipaddress.IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64)))


def parse_attachment(text: str) -> NetworkAttachment:
    """Parses an additional network: ``NAME[,ipv6][,ipv6-only][,gw-priority=N][,ifname=NAME]``. Raises ValueError with a
    message for the user."""
    name, *options = (part.strip() for part in text.strip().split(","))
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"“{name[:40]}” is not a valid network name: use up to 32 lower-case letters, digits, “-” and “_”."
        )
    values: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if option in {"ipv6", "ipv6-only"}:
            values["ipv6"] = IPv6.ON if option == "ipv6" else IPv6.ONLY
        elif key == "gw-priority" and _NUMBER.fullmatch(value):
            values["gw_priority"] = int(value)
        elif key == "ifname" and _IFNAME.fullmatch(value):
            values["ifname"] = value
        else:
            raise ValueError(
                f"“{option[:40]}” is not an option of a network: write ipv6, ipv6-only, gw-priority=1 or ifname=eth7."
            )
    return NetworkAttachment(name, **values)


def check_networks(arm: ArmSpec) -> Iterator[tuple[str, str]]:
    """Yields the problems of an arm's networks, each as a field and a sentence."""
    if arm.ipv6 is not IPv6.OFF and arm.mode is not Mode.USER_BRIDGE:
        yield "ipv6", f"IPv6 is an option of user-bridge, not of {arm.mode}: remove it, or choose user-bridge."
    if not arm.networks:
        return
    if arm.mode not in NETWORK_DRIVERS:
        several = ", ".join(NETWORK_DRIVERS)
        yield (
            "networks",
            f"Docker combines only user-defined networks, and {arm.mode} is not one: choose one of {several}.",
        )
    names = [(attachment.name, attachment.ipv6) for attachment in arm.networks]
    if len(set(names)) < len(names):
        yield "networks", "A network is named twice: name each once."


def too_many_networks(arms: Iterable[ArmSpec]) -> str | None:
    """Returns a sentence if the arms need more additional networks than an experiment may have, otherwise None. Arms
    share a network if its name and its address families are the same."""
    count = len({(attachment.name, attachment.ipv6) for arm in arms for attachment in arm.networks})
    if count <= MAX_NETWORKS:
        return None
    return f"The arms have {count} further networks: at most {MAX_NETWORKS} are allowed in one experiment."


def missing_feature(arm: ArmSpec, api: str, kind: EngineKind = EngineKind.DOCKER) -> str | None:
    """Returns why this engine cannot launch the arm with its mode and networks, as a sentence; None if it can. ``api``
    is the API version of the engine, such as ``1.47``.

    Without this check, an older engine would ignore an option that it does not know, or refuse it with an unrelated
    message.
    """
    if arm.mode in PODMAN_MODES and kind is not EngineKind.PODMAN:
        return ONLY_PODMAN
    families = (arm.ipv6, *(attachment.ipv6 for attachment in arm.networks))
    needs: Sequence[tuple[bool, tuple[int, int], str]] = (
        (bool(arm.networks), (1, 44), "Several networks of a new container need Docker Engine 25.0"),
        (IPv6.ONLY in families, (1, 48), "A network without IPv4 needs Docker Engine 28.0"),
        (any(network.gw_priority for network in arm.networks), (1, 48), "gw-priority needs Docker Engine 28.0"),
        (any(network.ifname for network in arm.networks), (1, 48), "ifname needs Docker Engine 28.0"),
    )
    major, _, minor = api.partition(".")
    version = (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
    for wanted, since, sentence in needs:
        if wanted and version < since:
            dotted = ".".join(map(str, since))
            return f"{sentence} (API {dotted}), and this engine has API {api}: update it or remove the option."
    return None

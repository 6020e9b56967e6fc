"""How an arm becomes a container: the create body, and the ``docker run`` line that does the same.

Sources: Docker Engine API reference (``POST /containers/create``, ``POST /networks/create``), docker-run(1).
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dashboard.core.experiments.validation import (
    MAX_ARMS,
    Problem,
    parse_add_host,
    parse_command,
    parse_environment,
    parse_publish,
    parse_sysctls,
    problems,
)
from dashboard.core.modes import NETWORK_DRIVERS, ArmSpec, Mode, Publish

__all__ = [
    "MAX_ARMS",
    "Hardening",
    "NetworkRequest",
    "Problem",
    "container_config",
    "free_subnet",
    "network_line",
    "network_request",
    "parse_add_host",
    "parse_command",
    "parse_environment",
    "parse_publish",
    "parse_sysctls",
    "problems",
    "run_line",
    "warnings_about_the_arm",
]

MEGABYTE = 1 << 20


class Hardening(StrEnum):
    """Who launches: the owner of the machine, or a participant whom the owner lets in."""

    OWNER = "owner"
    PARTICIPANT = "participant"


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """What the Engine is asked for when an experiment needs a network of its own."""

    driver: str
    options: dict[str, Any] = field(default_factory=dict)


def network_mode(arm: ArmSpec, network: str | None, target: str | None) -> str:
    """The value of ``--network``; ValueError if the mode lacks its network or its target."""
    if arm.mode is Mode.CONTAINER:
        if not target:
            raise ValueError(f"Arm {arm.key} shares a container's namespace: name the container.")
        return f"container:{target}"
    if arm.mode in NETWORK_DRIVERS:
        if not network:
            raise ValueError(f"Arm {arm.key} ({arm.mode}) needs the experiment's own network.")
        return network
    return str(arm.mode)


def limits(hardening: Hardening = Hardening.OWNER) -> dict[str, Any]:
    """The part of the HostConfig that keeps a container from taking the machine down."""
    always: dict[str, Any] = {
        "AutoRemove": False,
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 512,
        "Memory": 512 * MEGABYTE,
        "MemorySwap": 512 * MEGABYTE,
        "NanoCpus": 1_000_000_000,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
    }
    if hardening is Hardening.OWNER:
        return always
    return always | {
        "CapDrop": ["ALL"],
        "PidsLimit": 128,
        "Memory": 128 * MEGABYTE,
        "MemorySwap": 128 * MEGABYTE,
        "NanoCpus": 500_000_000,
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,size=16m,mode=1777"},  # noqa: S108  inside the container
        "IpcMode": "private",
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}],
    }


def _bindings(publish: Iterable[Publish], default_address: str) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for one in publish:
        bindings.setdefault(f"{one.container_port}/{one.protocol}", []).append(
            {
                "HostIp": one.host_address or default_address,
                "HostPort": str(one.host_port) if one.host_port else "",
            }
        )
    return bindings


def extra_host(entry: str) -> str:
    """``name=[::1]`` as the command line sends it: ``name:::1`` (docker/cli, ``opts/hosts.go``)."""
    name, _, address = entry.partition("=" if "=" in entry else ":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return f"{name}:{address}"


def container_config(
    arm: ArmSpec,
    *,
    name: str,
    labels: Mapping[str, str],
    network: str | None = None,
    target_container: str | None = None,
    hardening: Hardening = Hardening.OWNER,
    capabilities: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The body of ``POST /containers/create``: the one place where a HostConfig is made.

    Nothing is left out because a mode discards or refuses it: what the Engine says about it is the lesson.
    AutoRemove stays off, so that the exit code can be read before we remove the container ourselves.
    ``capabilities`` are given back to a participant's container. ``name`` is the container's own name; its
    arm's key becomes an alias on a network of ours, so that arms find each other by key.
    """
    participant = hardening is Hardening.PARTICIPANT
    mode = network_mode(arm, network, target_container)
    host: dict[str, Any] = {
        **limits(hardening),
        "NetworkMode": mode,
        # Lab pages are linked on 127.0.0.2: cookies are not separated by port (RFC 6265, section 8.5).
        "PortBindings": _bindings(arm.publish, "127.0.0.2" if participant else ""),
        "PublishAllPorts": arm.publish_all,
        "Dns": list(arm.dns),
        "ExtraHosts": [extra_host(one) for one in arm.add_host],
        "Sysctls": dict(arm.sysctls),
    }
    if participant and capabilities:
        host["CapAdd"] = sorted(capabilities)
    config: dict[str, Any] = {
        "Image": arm.image,
        "Env": [f"{key}={value}" for key, value in arm.environment.items()],
        "Hostname": arm.hostname,
        "User": arm.user,
        "ExposedPorts": {f"{one.container_port}/{one.protocol}": {} for one in arm.publish},
        "Labels": dict(labels),
        "HostConfig": host,
    }
    if arm.command:
        config["Cmd"] = list(arm.command)
    if arm.mode in NETWORK_DRIVERS:
        aliases = [arm.key] if arm.key != name else []
        config["NetworkingConfig"] = {"EndpointsConfig": {mode: {"Aliases": aliases}}}
    return config


def published(one: Publish) -> str:
    """A mapping as ``-p`` takes it: ``[address:][host port:]port[/udp]``."""
    address = f"[{one.host_address}]" if ":" in one.host_address else one.host_address
    host_port = str(one.host_port) if one.host_port else ""
    front = f"{address}:{host_port}:" if address else (f"{host_port}:" if host_port else "")
    protocol = "" if one.protocol == "tcp" else f"/{one.protocol}"
    return f"{front}{one.container_port}{protocol}"


def run_arguments(
    arm: ArmSpec, *, name: str | None = None, network: str | None = None, target_name: str | None = None
) -> tuple[str, ...]:
    """What follows ``docker run --rm -d`` (or ``docker create``): options, image, command."""
    mode = network_mode(arm, network, target_name)
    words: list[str] = []
    if name:
        words += ["--name", name]
    if arm.mode is not Mode.BRIDGE:
        words += ["--network", mode]
    for one in arm.publish:
        words += ["-p", published(one)]
    if arm.publish_all:
        words.append("-P")
    for key, value in arm.environment.items():
        words += ["-e", f"{key}={value}"]
    words += ["--hostname", arm.hostname] if arm.hostname else []
    for option, values in (("--dns", arm.dns), ("--add-host", arm.add_host)):
        for value in values:
            words += [option, value]
    for key, value in arm.sysctls.items():
        words += ["--sysctl", f"{key}={value}"]
    words += ["--user", arm.user] if arm.user else []
    return (*words, arm.image, *arm.command)


def run_line(
    arm: ArmSpec, *, name: str | None = None, network: str | None = None, target_name: str | None = None
) -> str:
    """The line that a person would type for this arm, quoted for a POSIX shell.

    ``name`` only where another arm refers to it. The line does what ``container_config`` asks for, except
    for what nobody would type: our labels, the alias, and the limits on memory, processes, cpu and logs.
    """
    arguments = run_arguments(arm, name=name, network=network, target_name=target_name)
    return shlex.join(["docker", "run", "--rm", "-d", *arguments])


def network_request(
    mode: Mode, *, parent: str | None = None, subnet: str | None = None, gateway: str | None = None
) -> NetworkRequest:
    """The network that arms of this mode share; ValueError if the mode has none, or lacks its parent.

    ``parent`` is the machine's link that macvlan and ipvlan use, and their ``subnet`` is needed with it:
    left to choose, Docker takes one of its own pool, which may be in use on that link.
    An overlay must be attachable, else only services may use it.
    """
    driver = NETWORK_DRIVERS.get(mode)
    if driver is None:
        raise ValueError(f"Mode {mode} has no network of its own.")
    options: dict[str, Any] = {"subnet": subnet, "gateway": gateway}
    if mode in {Mode.MACVLAN, Mode.IPVLAN}:
        if not parent or not subnet:
            raise ValueError(f"A {mode} network needs a parent link of the machine and a subnet.")
        options["parent"] = parent
    if mode is Mode.OVERLAY:
        options["attachable"] = True
    return NetworkRequest(driver, {key: value for key, value in options.items() if value})


def network_line(name: str, request: NetworkRequest) -> str:
    """The ``docker network create`` line that makes the same network, but for our labels."""
    words = ["docker", "network", "create"]
    words += ["-d", request.driver] if request.driver != "bridge" else []
    words += ["--subnet", request.options["subnet"]] if "subnet" in request.options else []
    words += ["-o", f"parent={request.options['parent']}"] if "parent" in request.options else []
    words += ["--attachable"] if request.options.get("attachable") else []
    return shlex.join([*words, name])


def free_subnet(taken: Iterable[str]) -> str:
    """A private /24 that overlaps none of ``taken`` (CIDR texts; malformed ones are passed over).

    From 10.213.0.0/16, which is neither in Docker's default pools nor in common home routers.
    """
    used = []
    for one in taken:
        try:
            used.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            continue
    for candidate in ipaddress.IPv4Network("10.213.0.0/16").subnets(new_prefix=24):
        if not any(candidate.version == one.version and candidate.overlaps(one) for one in used):
            return str(candidate)
    raise ValueError("No free subnet is left in 10.213.0.0/16: remove networks that are not used any more.")


#: Moby, ``daemon/daemon_unix.go``: what is said when the kernel cannot enforce a limit.
_LIMIT_WARNINGS = ("swap limit", "memory limit", "pids limit", "cpu cfs", "memory swap", "cpu shares", "cgroup")


def warnings_about_the_arm(warnings: Iterable[str]) -> tuple[str, ...]:
    """The Engine's warnings without those about limits, which Netmodes added and the person did not ask for."""
    return tuple(one for one in warnings if not any(sign in one.lower() for sign in _LIMIT_WARNINGS))

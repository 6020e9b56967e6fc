"""Translates an arm into a container: the body of the create request, and the equivalent ``docker run`` line.

Sources: Docker Engine API reference (``POST /containers/create``), docker-run(1).
"""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.experiments.networks import endpoint_settings, network_option
from dashboard.core.modes import NETWORK_DRIVERS, PODMAN_MODES, ArmSpec, Mode, NetworkAttachment, Publish
from dashboard.core.namespaces.addresses import bracket

MEGABYTE = 1 << 20


def network_mode(arm: ArmSpec, network: str | None, target: str | None) -> str:
    """Returns the value of ``--network`` for an arm. ``network`` is the name of the network that the arm's mode needs.
    ``target`` is the container whose namespace the arm shares. Raises ValueError if the one that the mode needs is
    missing."""
    if arm.mode is Mode.CONTAINER:
        if not target:
            raise ValueError(f"Arm {arm.key} shares a container's namespace: set the container.")
        return f"container:{target}"
    if arm.mode is Mode.NS:
        return f"ns:{arm.netns}"
    if arm.mode in NETWORK_DRIVERS:
        if not network:
            raise ValueError(f"Arm {arm.key} ({arm.mode}) needs the experiment's network.")
        return network
    return str(arm.mode)


def limits() -> dict[str, Any]:
    """Returns the fields of HostConfig that limit the resources and rights of a container."""
    return {
        "AutoRemove": False,
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 512,
        "Memory": 512 * MEGABYTE,
        "MemorySwap": 512 * MEGABYTE,
        "NanoCpus": 1_000_000_000,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
    }


def _bindings(publish: Iterable[Publish]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in publish:
        bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(
            {"HostIp": port.host_address, "HostPort": str(port.host_port or "")}
        )
    return bindings


def extra_host(entry: str) -> str:
    """Returns a ``--add-host`` entry as the Docker CLI sends it: ``name=[::1]`` becomes ``name:::1`` (docker/cli,
    ``opts/hosts.go``)."""
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
    attached: Mapping[str, NetworkAttachment] | None = None,
    target_container: str | None = None,
    cpus: float = 0.0,
) -> dict[str, Any]:
    """Returns the body of ``POST /containers/create`` for an arm.

    Options that a mode discards or refuses are included, because the page shows the Engine's response to them.
    AutoRemove is off, so that the exit code can be read before the container is removed. On networks of the experiment
    the arm's key is an alias, so that arms find each other by key.

    ``network`` is the name of the network of the mode. ``attached`` has the additional networks by name.
    ``target_container`` is the container whose namespace the arm shares. ``cpus`` is the CPU limit of the private host
    on which the container runs; the container's own limit is at most ``cpus``. On other engines, ``cpus`` is 0.
    """
    mode = network_mode(arm, network, target_container)
    host: dict[str, Any] = {
        **limits(),
        "NetworkMode": mode,
        "PortBindings": _bindings(arm.publish),
        "PublishAllPorts": arm.publish_all,
        "Dns": list(arm.dns),
        "ExtraHosts": [extra_host(entry) for entry in arm.add_host],
        "Sysctls": dict(arm.sysctls),
    }
    if cpus:
        # In version 1 of cgroups, a quota must not exceed that of the parent.
        host["NanoCpus"] = min(host["NanoCpus"], int(cpus * 1_000_000_000))
    config: dict[str, Any] = {
        "Image": arm.image,
        "Env": [f"{key}={value}" for key, value in arm.environment.items()],
        "Hostname": arm.hostname,
        "User": arm.user,
        "ExposedPorts": {f"{port.container_port}/{port.protocol}": {} for port in arm.publish},
        "Labels": dict(labels),
        "HostConfig": host,
    }
    if arm.command:
        config["Cmd"] = list(arm.command)
    if arm.mode in NETWORK_DRIVERS:
        aliases = [arm.key] if arm.key != name else []
        endpoints = {mode: {"Aliases": aliases}}
        for other, attachment in (attached or {}).items():
            endpoints[other] = {"Aliases": aliases, **endpoint_settings(attachment)}
        config["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return config


def requested_ports(arm: ArmSpec) -> tuple[PublishedPort, ...]:
    """The ports that the arm asks to publish. They come from the arm, because Podman's HostConfig omits them in modes
    that do not publish ports."""
    return tuple(
        PublishedPort(port.container_port, port.protocol, port.host_address, port.host_port) for port in arm.publish
    )


def format_publish(publish: Publish) -> str:
    """Returns the argument of ``-p`` in the form ``[address:][host port:]port[/udp]``."""
    address = bracket(publish.host_address)
    host_port = str(publish.host_port or "")
    front = f"{address}:{host_port}:" if address else (f"{host_port}:" if host_port else "")
    protocol = "" if publish.protocol == "tcp" else f"/{publish.protocol}"
    return f"{front}{publish.container_port}{protocol}"


def run_arguments(
    arm: ArmSpec,
    *,
    name: str | None = None,
    network: str | None = None,
    attached: Mapping[str, NetworkAttachment] | None = None,
    target_name: str | None = None,
) -> tuple[str, ...]:
    """Returns the arguments that follow ``docker run --rm -d`` or ``docker create``: options, image and command. See
    ``run_line`` for the parameters."""
    mode = network_mode(arm, network, target_name)
    words: list[str] = []
    if name:
        words += ["--name", name]
    if arm.mode is not Mode.BRIDGE:
        words += ["--network", mode]
    for other, attachment in (attached or {}).items():
        words += ["--network", network_option(other, attachment)]
    for publish in arm.publish:
        words += ["-p", format_publish(publish)]
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
    arm: ArmSpec,
    *,
    name: str | None = None,
    network: str | None = None,
    attached: Mapping[str, NetworkAttachment] | None = None,
    target_name: str | None = None,
) -> str:
    """Returns the ``docker run`` line of an arm, quoted for a POSIX shell. In a mode that only Podman has, it is a
    ``podman run`` line.

    ``name`` is needed only if another arm or a network refers to the container. ``network`` is the network of the arm's
    mode. ``attached`` has the additional networks by name. ``target_name`` is the container whose namespace the arm
    shares. The line creates the same container as ``container_config``, but without labels, the alias, and the limits
    on memory, processes, CPU and logs.
    """
    arguments = run_arguments(arm, name=name, network=network, attached=attached, target_name=target_name)
    program = "podman" if arm.mode in PODMAN_MODES else "docker"
    return shlex.join([program, "run", "--rm", "-d", *arguments])


#: Moby, ``daemon/daemon_unix.go``: warnings about limits that the kernel cannot enforce.
_LIMIT_WARNINGS = ("swap limit", "memory limit", "pids limit", "cpu cfs", "memory swap", "cpu shares", "cgroup")


def warnings_about_the_arm(warnings: Iterable[str]) -> tuple[str, ...]:
    """Returns the Engine's warnings without those about limits that Netmodes adds."""
    return tuple(text for text in warnings if not any(part in text.lower() for part in _LIMIT_WARNINGS))

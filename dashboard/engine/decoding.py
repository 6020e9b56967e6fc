"""Decodes the Engine's JSON answers into values.

Nothing is trusted: missing or invalid fields become empty or zero, and long texts and lists are truncated. The formats
are documented in the Docker Engine API reference, 1.44 to 1.52.
"""

import json
import math
from typing import Any

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import PublishedPort
from dashboard.engine.connection_errors import name_log
from dashboard.engine.protocol import (
    ContainerFacts,
    EngineError,
    EngineEvent,
    EngineInfo,
    ImageFacts,
    NetworkFacts,
    PullProgress,
    RootlessKit,
)

MAX_TEXT = 4096
MAX_ITEMS = 1024


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Returns ``value`` without NUL and cut at ``limit`` characters if it is a string; otherwise an empty string."""
    if not isinstance(value, str):
        return ""
    return value[:limit].replace("\0", "").encode("utf-8", "replace").decode()


def mapping(value: object) -> dict[str, Any]:
    """Returns ``value`` cut at MAX_ITEMS members if it is a JSON object; otherwise an empty object."""
    if not isinstance(value, dict):
        return {}
    return {text(key): value[key] for key in list(value)[:MAX_ITEMS]}


def sequence(value: object) -> list[Any]:
    """Returns ``value`` cut at MAX_ITEMS items if it is a JSON array; otherwise an empty list."""
    return value[:MAX_ITEMS] if isinstance(value, list) else []


def integer(value: object, default: int = 0) -> int:
    """Returns ``value``, a number or a string of digits, as an integer if it fits in 64 bits; otherwise ``default``."""
    if isinstance(value, bool):
        return default
    if isinstance(value, str) and len(value) <= 20 and value.isascii():
        value = int(value) if value.lstrip("-").isdigit() else value
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return value if isinstance(value, int) and abs(value) < 2**63 else default


def texts(value: object) -> tuple[str, ...]:
    """Returns the strings in the array ``value``; other items are omitted."""
    return tuple(text(one) for one in sequence(value) if isinstance(one, str))


def labels(value: object) -> dict[str, str]:
    """Returns the members of the object ``value`` that are strings; others are omitted."""
    return {key: text(one) for key, one in mapping(value).items() if isinstance(one, str)}


def ports(value: object) -> tuple[PublishedPort, ...]:
    """Decodes ``NetworkSettings.Ports`` or ``HostConfig.PortBindings``, such as ``{"80/tcp": [{HostIp, HostPort}]}``.
    Returns the bindings in the order of their container ports.

    Bindings without a container port between 1 and 65535 are omitted; an invalid host port becomes 0.
    """
    found: list[PublishedPort] = []
    for key, bindings in mapping(value).items():
        number, _, protocol = key.partition("/")
        port = integer(number)
        if not 0 < port < 65536:
            continue
        for binding in sequence(bindings):
            one = mapping(binding)
            host_port = integer(one.get("HostPort"))
            found.append(
                PublishedPort(
                    container_port=port,
                    protocol=protocol or "tcp",
                    host_address=text(one.get("HostIp"), 64),
                    host_port=host_port if 0 < host_port < 65536 else 0,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.container_port, one.protocol, one.host_address, one.host_port)))


def container_facts(answer: object) -> ContainerFacts:
    """Decodes the answer to ``GET /containers/{id}/json``."""
    top = mapping(answer)
    state, host, config = mapping(top.get("State")), mapping(top.get("HostConfig")), mapping(top.get("Config"))
    settings = mapping(top.get("NetworkSettings"))
    # Podman's status between the end of the program and its cleanup, which can take seconds.
    status = {"stopped": "exited"}.get(given := text(state.get("Status"), 64), given)
    running = state.get("Running") is True
    endpoints = {name: mapping(one) for name, one in mapping(settings.get("Networks")).items()}
    addresses = {
        name: text(one.get("IPAddress"), 64) or text(one.get("GlobalIPv6Address"), 64)
        for name, one in endpoints.items()
    }
    return ContainerFacts(
        id=text(top.get("Id"), 128),
        name=text(top.get("Name"), 256).removeprefix("/"),
        image=text(config.get("Image"), 512),
        labels=labels(config.get("Labels")),
        status=status,
        running=running,
        pid=max(integer(state.get("Pid")), 0),
        started_at=text(state.get("StartedAt"), 64),
        exit_code=integer(state.get("ExitCode")) if status in {"exited", "dead"} else None,
        error=text(state.get("Error")),
        network_mode=text(host.get("NetworkMode"), 256),
        resolv_conf_path=text(top.get("ResolvConfPath")),
        hosts_path=text(top.get("HostsPath")),
        published=ports(settings.get("Ports")),
        asked=ports(host.get("PortBindings")),
        networks=addresses,
        dns=texts(host.get("Dns")),
        auto_remove=host.get("AutoRemove") is True,
    )


def network_facts(answer: object) -> NetworkFacts:
    """Decodes one network in the answer to ``GET /networks``. The Linux name of its bridge is in the option
    ``com.docker.network.bridge.name``. Without this option, Docker names the bridge ``br-`` and the first 12 digits of
    the network's id."""
    top = mapping(answer)
    identity, driver = text(top.get("Id"), 128), text(top.get("Driver"), 64)
    pools = sequence(mapping(top.get("IPAM")).get("Config"))
    pool = mapping(pools[0]) if pools else {}
    options = labels(top.get("Options"))
    bridge = None
    if driver == "bridge":
        bridge = options.get("com.docker.network.bridge.name") or f"br-{identity[:12]}"
    return NetworkFacts(
        id=identity,
        name=text(top.get("Name"), 256),
        driver=driver,
        labels=labels(top.get("Labels")),
        subnet=text(pool.get("Subnet"), 64) or None,
        bridge=bridge,
        ipv6=top.get("EnableIPv6") is True,
    )


def image_facts(answer: object) -> ImageFacts:
    """Decodes the answer to ``GET /images/{name}/json``."""
    top = mapping(answer)
    image_labels = labels(mapping(top.get("Config")).get("Labels"))
    return ImageFacts(id=text(top.get("Id"), 128), tags=texts(top.get("RepoTags")), labels=image_labels)


def engine_kind(version: object) -> EngineKind:
    """Returns the kind of the engine, from the answer to ``GET /version``: Podman lists itself there as a component."""
    components = {text(mapping(one).get("Name"), 64) for one in sequence(mapping(version).get("Components"))}
    return EngineKind.PODMAN if "Podman Engine" in components else EngineKind.DOCKER


def podman_programs(answer: object) -> tuple[str, ...]:
    """Returns the programs that Podman uses for networks, from the answer to ``GET /libpod/info``: their names, with
    the version if Podman reports one (``netavark 1.14.0``)."""
    host = mapping(mapping(answer).get("host"))
    backend = mapping(host.get("networkBackendInfo"))
    versions = (text(backend.get("version"), 64), text(mapping(backend.get("dns")).get("version"), 64))
    rootless = (name for name in ("pasta", "slirp4netns") if text(mapping(host.get(name)).get("executable"), 64))
    return tuple(program for program in (*versions, *rootless) if program)


def podman_bridges(answer: object) -> dict[str, str]:
    """Returns the interface names of bridges by network id, from the answer to ``GET /libpod/networks/json``."""
    networks = [mapping(one) for one in sequence(answer)]
    return {
        text(network.get("id"), 128): text(network.get("network_interface"), 64)
        for network in networks
        if network.get("driver") == "bridge"
    }


def engine_info(version: object, info: object, *, api: str, pid: int | None, endpoint: str) -> EngineInfo:
    """Returns the facts in ``version`` and ``info``, an engine's answers to ``GET /version`` and ``GET /info``. ``api``
    is the negotiated API version. ``pid`` is the daemon's pid. ``endpoint`` is the engine's address.

    A Docker Engine that reports no firewall backend (API before 1.49) uses iptables. Podman never reports one: its
    backend is empty (unknown). Only Docker Engine 29.5 and later report whether docker-proxy is used.
    """
    one, two, kind = mapping(version), mapping(info), engine_kind(version)
    options = texts(two.get("SecurityOptions"))
    names = {part for option in options for part in option.split(",") if part.startswith("name=")}
    system = text(two.get("OperatingSystem"), 256)
    desktop = system == "Docker Desktop" or text(two.get("Name")) == "docker-desktop"
    default_backend = "iptables" if kind is EngineKind.DOCKER else ""
    firewall = mapping(two.get("FirewallBackend"))
    details = {pair[0]: pair[1] for item in sequence(firewall.get("Info")) if len(pair := texts(item)) == 2}
    return EngineInfo(
        version=text(one.get("Version"), 64),
        api=api,
        name=text(two.get("Name"), 256),
        kernel=text(two.get("KernelVersion"), 256) or text(one.get("KernelVersion"), 256),
        system=system,
        rootless="name=rootless" in names,
        userns_remap="name=userns" in names,
        desktop=desktop,
        swarm_active=mapping(two.get("Swarm")).get("LocalNodeState") == "active",
        cgroup_version=text(two.get("CgroupVersion"), 8),
        network_plugins=texts(mapping(two.get("Plugins")).get("Network")),
        firewall_backend=text(firewall.get("Driver"), 64) or default_backend,
        pid=None if desktop else pid,
        endpoint=endpoint,
        kind=kind,
        userland_proxy={"true": True, "false": False}.get(details.get("EnableUserlandProxy", "")),
        platform=text(mapping(one.get("Platform")).get("Name"), 256),
        rootlesskit=_rootlesskit(one),
    )


def _rootlesskit(version: dict[str, Any]) -> RootlessKit | None:
    components = [mapping(one) for one in sequence(version.get("Components"))]
    details = next((mapping(one.get("Details")) for one in components if one.get("Name") == "rootlesskit"), None)
    if details is None:
        return None
    return RootlessKit(text(details.get("NetworkDriver"), 64), text(details.get("PortDriver"), 64))


def engine_event(line: bytes) -> EngineEvent | None:
    """Decodes one line of ``GET /events``; returns None if it is not an event. A record separator (RFC 7464) is
    ignored."""
    try:
        top = mapping(json.loads(line.strip(b"\x1e")))
    except (ValueError, RecursionError):
        return None
    actor = mapping(top.get("Actor"))
    attributes = labels(actor.get("Attributes"))
    kind, action = text(top.get("Type"), 64), text(top.get("Action"), 256)
    if not kind or not action:
        return None
    return EngineEvent(kind, action, text(actor.get("ID"), 128), attributes, attributes)


def progress_step(line: bytes) -> PullProgress | None:
    """Decodes one line of the progress of a pull or import; returns None if it contains no step. Raises EngineError
    with Docker's message if the line reports an error."""
    try:
        top = mapping(json.loads(line))
    except (ValueError, RecursionError):
        return None
    error = text(top.get("error")) or text(mapping(top.get("errorDetail")).get("message"))
    if error:
        raise EngineError(error)
    words = " ".join(part for part in (text(top.get("id"), 80), text(top.get("status"), 300)) if part)
    if not words:
        return None
    detail = mapping(top.get("progressDetail"))
    current, total = integer(detail.get("current")), integer(detail.get("total"))
    return PullProgress(words, min(current / total, 1.0) if total > 0 and current >= 0 else None)


def log_lines(data: bytes, lines: int) -> tuple[str, ...]:
    """Returns the last ``lines`` lines of a container's output, each cut at 500 characters. Invalid UTF-8 is
    replaced."""
    rows = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if rows and not rows[-1]:
        rows.pop()
    return tuple(row[:500] for row in rows[-lines:]) if lines > 0 else ()


def refusal(status: int, body: bytes, endpoint: str) -> EngineError:
    """Returns the error for an answer with an error status: Docker's message unchanged, or ``describe_status`` if the
    answer has no message."""
    try:
        words = text(mapping(json.loads(body)).get("message")).strip()
    except (ValueError, RecursionError):
        words = ""
    return EngineError(words or describe_status(status, endpoint), status)


def describe_status(status: int, endpoint: str) -> str:
    """Returns the sentence for an answer of the engine at ``endpoint`` that has an error status but no message."""
    log = f": read {name_log(endpoint)}" if status >= 500 else ""
    return f"The Engine answered with status {status}{log}."

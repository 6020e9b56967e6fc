"""Facts about an engine, and conditions on these facts. A claim may expect a different result from engines that fulfil
a condition."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.core.experiments.availability import parse_version
from dashboard.core.experiments.engine_kind import ENGINE_NAMES, EngineKind

Version = tuple[int, int]
UNKNOWN_VERSION: Version = (0, 0)
GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_ipv4"


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """Options of dockerd that its API does not report. An option is None if it is unknown, for example because the
    daemon is not a process on this machine. ``gateway_mode`` is the IPv4 gateway mode of new bridge networks."""

    userland_proxy: bool | None = None
    iptables: bool | None = None
    gateway_mode: str | None = None
    icc: bool | None = None


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The facts about an engine that decide what claims expect.

    ``api`` is the API version that requests use. ``bridge_ipv6`` is true if the default bridge has IPv6. ``rootless``
    is true if an ordinary user runs the engine. ``rootless_network`` is RootlessKit's network driver, empty without
    RootlessKit. ``firewalld`` is true if the engine adds its bridges to zones of firewalld.
    """

    version: Version = UNKNOWN_VERSION
    api: Version = UNKNOWN_VERSION
    options: DaemonOptions = DaemonOptions()
    bridge_ipv6: bool = False
    kind: EngineKind = EngineKind.DOCKER
    rootless_network: str = ""
    rootless: bool = False
    firewalld: bool = False


@dataclass(frozen=True, slots=True)
class EngineCondition:
    """A condition on the facts about an engine. It is fulfilled if ``kind`` and every other field that is not None
    match. An unknown fact matches nothing. ``before`` matches all versions of the engine before this one.
    ``before_api`` matches all earlier versions of its API."""

    kind: EngineKind = EngineKind.DOCKER
    before: Version | None = None
    before_api: Version | None = None
    userland_proxy: bool | None = None
    iptables: bool | None = None
    gateway_mode: str | None = None
    icc: bool | None = None
    bridge_ipv6: bool | None = None
    rootless_network: str | None = None
    rootless: bool | None = None
    firewalld: bool | None = None

    def matches(self, facts: EngineFacts) -> bool:
        """Whether the facts fulfil the condition."""
        options = facts.options
        return facts.kind is self.kind and all(
            (
                self.before is None or UNKNOWN_VERSION < facts.version < self.before,
                self.before_api is None or UNKNOWN_VERSION < facts.api < self.before_api,
                self.userland_proxy is None or options.userland_proxy is self.userland_proxy,
                self.iptables is None or options.iptables is self.iptables,
                self.gateway_mode is None or options.gateway_mode == self.gateway_mode,
                self.icc is None or options.icc is self.icc,
                self.bridge_ipv6 is None or facts.bridge_ipv6 is self.bridge_ipv6,
                self.rootless_network is None or facts.rootless_network == self.rootless_network,
                self.rootless is None or facts.rootless is self.rootless,
                self.firewalld is None or facts.firewalld is self.firewalld,
            )
        )

    @property
    def text(self) -> str:
        """The condition in words, such as ``before Engine 25.0`` or ``with userland-proxy=false``."""
        options = {"userland-proxy": self.userland_proxy, "iptables": self.iptables, "icc": self.icc}
        parts = [
            f"with {'rootless ' * bool(self.rootless)}{ENGINE_NAMES[self.kind]}"
            if self.rootless or self.kind is not EngineKind.DOCKER
            else "",
            "before Engine {}.{}".format(*self.before) if self.before else "",
            "before API {}.{}".format(*self.before_api) if self.before_api else "",
            *(f"with {name}={str(value).lower()}" for name, value in options.items() if value is not None),
            f"with gateway mode {self.gateway_mode}" if self.gateway_mode else "",
            f"on a rootless engine with {self.rootless_network}" if self.rootless_network else "",
            "with firewalld" if self.firewalld else "",
            {None: "", True: "with IPv6 on the default bridge", False: "without IPv6 on the default bridge"}[
                self.bridge_ipv6
            ],
        ]
        return " and ".join(part for part in parts if part)


#: Podman behind Docker's API.
PODMAN = EngineCondition(kind=EngineKind.PODMAN)
ROOTLESS_PODMAN = EngineCondition(kind=EngineKind.PODMAN, rootless=True)
FIREWALLD = EngineCondition(firewalld=True)
#: Why claims state nothing about engines that add their bridges to zones of firewalld.
FIREWALLD_ZONE = "firewalld's zone does not allow packets from other machines to programs on this machine."
SLIRP4NETNS = EngineCondition(rootless_network="slirp4netns")
#: Why claims state nothing about engines with RootlessKit's slirp4netns, and about a rootless Podman.
SLIRP4NETNS_LOOPBACK = "A published port answers at 127.0.0.1 of RootlessKit's namespace only."
ROOTLESS_PODMAN_BRIDGES = "A rootless Podman's bridges are in its user's rootless-netns, not in the machine's network."


def parse_daemon_options(command: Sequence[str], configuration: str | None) -> DaemonOptions:
    """Returns the options of a running dockerd.

    ``command`` is its command line. ``configuration`` is the text of its daemon.json, None if the file cannot be read.
    The boolean options are on by default (moby, daemon/config/config_linux.go). An option is in one of the two sources
    only: dockerd does not start if both contain it.
    """
    try:
        parsed = json.loads(configuration) if configuration else {}
    except (ValueError, RecursionError):
        parsed = {}
    members = parsed if isinstance(parsed, dict) else {}
    return DaemonOptions(
        _switch("userland-proxy", command, members),
        _switch("iptables", command, members),
        _gateway_mode(command, members),
        _switch("icc", command, members),
    )


def _gateway_mode(command: Sequence[str], members: Mapping[str, Any]) -> str:
    """Returns the IPv4 gateway mode of new bridge networks: MODE of ``--default-network-opt
    bridge=com.docker.network.bridge.gateway_mode_ipv4=MODE`` or of the same setting in daemon.json; ``nat`` if neither
    is set."""
    for word in command:
        if f"bridge={GATEWAY_MODE}=" in word:
            return word.rpartition("=")[2]
    drivers = members.get("default-network-opts")
    options = drivers.get("bridge") if isinstance(drivers, dict) else None
    return str(options.get(GATEWAY_MODE, "nat")) if isinstance(options, dict) else "nat"


def _switch(name: str, command: Sequence[str], members: Mapping[str, Any]) -> bool:
    """Returns the value of a boolean option of dockerd; True if it is not set. ``members`` is the content of
    daemon.json. On the command line, a value follows ``=``; a bare ``--name`` means true (Go's flag parser)."""
    for word in command:
        option, _, setting = word.partition("=")
        if option in {f"--{name}", f"-{name}"}:
            return setting.lower() in {"", "1", "t", "true"}
    value = members.get(name)
    return value if isinstance(value, bool) else True


def facts_of(
    kind: EngineKind,
    version: str,
    api: str,
    options: DaemonOptions,
    *,
    bridge_ipv6: bool,
    rootless_network: str = "",
    rootless: bool = False,
    firewalld: bool = False,
) -> EngineFacts:
    """Builds the facts about an engine. ``version`` is the engine's version, ``api`` the version of its API, both as
    text from the engine's responses."""
    return EngineFacts(
        parse_version(version), parse_version(api), options, bridge_ipv6, kind, rootless_network, rootless, firewalld
    )

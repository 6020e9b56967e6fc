"""Determines which modes an engine supports on this kernel. For a mode that it does not support, a sentence says why
and what to do.

Sources: Docker's documentation on the host, macvlan, ipvlan and overlay drivers, on Docker Desktop, on rootless mode
and on user-namespace remapping; podman-run(1), ``--network``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.core.experiments.engine_kind import ONLY_PODMAN, EngineKind
from dashboard.core.modes import Availability, Available, Mode, Unavailable

#: RootlessKit shares the machine's namespace with host-mode containers since this release.
ROOTLESS_HOST_SINCE = (29, 5)
#: The kernel refuses lower ports to an ordinary user (ip_unprivileged_port_start in ip(7)).
UNPRIVILEGED_PORTS = (
    "A program in host mode can open ports from 1024 on, unless net.ipv4.ip_unprivileged_port_start is lower."
)
ANY_NAMESPACE = (
    "Enter the namespace's path under “Per-container options” (“Network namespace”), or as ns:/run/netns/lab on the "
    "command line."
)
OWN_NAMESPACE = (
    "Enter the path of a namespace of Podman's user under “Per-container options” (“Network namespace”), such as the "
    "SandboxKey that podman inspect prints for a container."
)
#: Podman has the mode pasta since this release (its release notes).
PASTA_SINCE = (4, 4)
#: Docker Desktop can forward the ports of host-mode containers since this release.
DESKTOP_HOST_SINCE = (4, 34)
DESKTOP_HOST = (
    "Docker Desktop has host mode since version 4.34, if “Enable host networking” is on (Settings, Resources, "
    "Network). It forwards TCP and UDP ports only; the interfaces are those of Docker's virtual machine, not of this "
    "computer."
)


@dataclass(frozen=True, slots=True)
class EngineTraits:
    """The facts about an engine that decide which modes it supports.

    ``network_plugins`` are the network drivers that the engine lists in ``/info``; empty if unknown. ``default_bridge``
    is false if the daemon runs with ``--bridge=none``. ``desktop_version`` is (0, 0) if unknown. ``invisible`` is the
    reason why the kernel of the engine's machine cannot be read from here; empty if it can. ``programs`` are those that
    Podman uses for networks, such as ``netavark``.
    """

    version: str
    desktop: bool = False
    rootless: bool = False
    userns_remap: bool = False
    swarm_active: bool = False
    network_plugins: tuple[str, ...] = ()
    default_bridge: bool = True
    nftables: bool = False
    desktop_version: tuple[int, int] = (0, 0)
    invisible: str = ""
    kind: EngineKind = EngineKind.DOCKER
    programs: tuple[str, ...] = ()


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor version of ``26.1.5+dfsg1``; (0, 0) if the text has none."""
    match = re.match(r"v?(\d{1,6})\.(\d{1,6})", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _host(engine: EngineTraits) -> Availability:
    if engine.desktop:
        if (0, 0) < engine.desktop_version < DESKTOP_HOST_SINCE:
            return Unavailable("Docker Desktop before 4.34 has no host mode: update it, or use Docker Engine on Linux.")
        return Available(DESKTOP_HOST)
    if engine.kind is EngineKind.PODMAN:
        return Available(UNPRIVILEGED_PORTS if engine.rootless else "")
    if engine.rootless and parse_version(engine.version) < ROOTLESS_HOST_SINCE:
        return Unavailable(
            "A rootless engine before 29.5 shares RootlessKit's network, not the machine's: "
            "update the engine or use one that runs as root."
        )
    if engine.userns_remap:
        return Unavailable(
            "With userns-remap the engine refuses host mode unless a container has --userns=host, which Netmodes does "
            "not set: remove userns-remap from the configuration, or use a private host."
        )
    return Available()


def _parent_mode(mode: Mode, engine: EngineTraits, link_kinds: Mapping[str, bool], *, has_parent: bool) -> Availability:
    if engine.desktop:
        return Unavailable(
            f"On Docker Desktop {mode} reaches only Docker's virtual machine: use Docker Engine on Linux."
        )
    if engine.rootless:
        return Unavailable(f"A rootless engine cannot make {mode} links: use an engine that runs as root.")
    if not link_kinds.get(mode, True):
        return Unavailable(f"This kernel has no {mode} module: load it (sudo modprobe {mode}) or use another kernel.")
    if engine.network_plugins and mode not in engine.network_plugins:
        remedy = "update it" if engine.kind is EngineKind.DOCKER else "update Podman and netavark"
        return Unavailable(f"This engine has no {mode} driver: {remedy}.")
    if engine.invisible:
        return Unavailable(
            f"{mode} needs the name of a parent interface, and the interfaces of the engine's machine are not visible: "
            f"{engine.invisible}."
        )
    if not has_parent:
        return Unavailable(
            f"{mode} needs an Ethernet interface with a default route as parent, and the machine has none: use a "
            "private host."
        )
    return Available()


def _overlay(engine: EngineTraits, link_kinds: Mapping[str, bool]) -> Availability:
    if engine.kind is EngineKind.PODMAN:
        return Unavailable("Podman has no overlay networks: use Docker Engine in swarm mode.")
    if engine.network_plugins and "overlay" not in engine.network_plugins:
        return Unavailable("This engine has no overlay driver: update it.")
    if not link_kinds.get("vxlan", True):
        return Unavailable("This kernel has no vxlan module, which overlay needs: load it (sudo modprobe vxlan).")
    if engine.nftables:
        return Unavailable(
            "Docker's nftables backend does not support swarm mode, which overlay needs: "
            "use an engine with firewall-backend iptables."
        )
    if not engine.swarm_active:
        return Unavailable(
            "Overlay networks need swarm mode: run `docker swarm init` on this engine first, or, if other machines "
            "have joined, form a swarm on the page Machines."
        )
    return Available()


def _pasta(engine: EngineTraits) -> Availability:
    if (0, 0) < parse_version(engine.version) < PASTA_SINCE:
        return Unavailable("Podman before 4.4 has no mode pasta: update it.")
    return _rootless_program("pasta", "passt", engine)


def _rootless_program(name: str, package: str, engine: EngineTraits) -> Availability:
    """Returns the availability of a mode for which a rootless Podman needs the program ``name``. ``package`` is the
    Debian package of the program."""
    if not engine.rootless:
        return Unavailable(f"{name} connects the containers of an ordinary user: use a rootless Podman.")
    if name not in engine.programs:
        return Unavailable(f"Podman finds no {name} on its machine: install it (apt-get install {package}).")
    return Available()


def _podman_modes(engine: EngineTraits) -> dict[Mode, Availability]:
    if engine.kind is not EngineKind.PODMAN:
        return dict.fromkeys((Mode.PASTA, Mode.SLIRP4NETNS, Mode.PRIVATE, Mode.NS), Unavailable(ONLY_PODMAN))
    default = "pasta or slirp4netns, as Podman is configured" if engine.rootless else "Podman's default bridge"
    return {
        Mode.PASTA: _pasta(engine),
        Mode.SLIRP4NETNS: _rootless_program("slirp4netns", "slirp4netns", engine),
        Mode.PRIVATE: Available(f"On this engine it is {default}."),
        Mode.NS: Available(OWN_NAMESPACE if engine.rootless else ANY_NAMESPACE),
    }


def availability(
    engine: EngineTraits, link_kinds: Mapping[str, bool], *, has_parent: bool = False
) -> dict[Mode, Availability]:
    """Returns for every mode whether it is available, and if not, why.

    ``link_kinds`` tells which kernel link kinds (macvlan, ipvlan, vxlan) can be created. A kind without an entry was
    not tested and counts as supported. ``has_parent`` tells whether the machine has a link that can be the parent of a
    macvlan or ipvlan.
    """
    bridge: Availability = Available()
    if not engine.default_bridge:
        bridge = Unavailable("The engine runs without a default bridge (--bridge=none): use user-bridge.")
    return {
        Mode.HOST: _host(engine),
        Mode.BRIDGE: bridge,
        Mode.USER_BRIDGE: Available(),
        Mode.NONE: Available(),
        Mode.CONTAINER: Available(),
        Mode.MACVLAN: _parent_mode(Mode.MACVLAN, engine, link_kinds, has_parent=has_parent),
        Mode.IPVLAN: _parent_mode(Mode.IPVLAN, engine, link_kinds, has_parent=has_parent),
        Mode.OVERLAY: _overlay(engine, link_kinds),
        **_podman_modes(engine),
    }

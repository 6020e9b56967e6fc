"""Which modes an engine supports on this kernel, and why not, in a sentence with what to do.

Sources: Docker's documentation on the host, macvlan, ipvlan and overlay drivers, on Docker Desktop, on
rootless mode and on user-namespace remapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.modes import Availability, Available, Mode, Unavailable

#: RootlessKit shares the machine's namespace with host-mode containers since this release.
ROOTLESS_HOST_SINCE = (29, 5)


@dataclass(frozen=True, slots=True)
class EngineTraits:
    """The facts about an engine that decide which modes it supports.

    ``network_plugins`` as in /info; empty means unknown. ``default_bridge`` is false if the daemon runs with
    ``--bridge=none``.
    """

    version: str
    desktop: bool = False
    rootless: bool = False
    userns_remap: bool = False
    swarm_active: bool = False
    network_plugins: tuple[str, ...] = ()
    default_bridge: bool = True
    nftables: bool = False


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor version of ``26.1.5+dfsg1``; (0, 0) if the text has none."""
    match = re.match(r"v?(\d{1,6})\.(\d{1,6})", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _host(engine: EngineTraits) -> Availability:
    if engine.desktop:
        return Unavailable(
            "On Docker Desktop host mode shares the network of Docker's virtual machine, not of this computer: "
            "use Docker Engine on Linux (since 4.34 Desktop can forward TCP and UDP ports, but no more)."
        )
    if engine.rootless and parse_version(engine.version) < ROOTLESS_HOST_SINCE:
        return Unavailable(
            "A rootless engine before 29.5 shares RootlessKit's network, not the machine's: "
            "update the engine or use one that runs as root."
        )
    if engine.userns_remap:
        return Unavailable(
            "With userns-remap the engine refuses host mode: remove it from the configuration, or use a private host."
        )
    return Available()


def _parent_mode(
    mode: Mode, engine: EngineTraits, link_kinds: Mapping[str, bool], parents: Sequence[str]
) -> Availability:
    if engine.desktop:
        return Unavailable(
            f"On Docker Desktop {mode} reaches only Docker's virtual machine: use Docker Engine on Linux."
        )
    if engine.rootless:
        return Unavailable(f"A rootless engine cannot make {mode} links: use an engine that runs as root.")
    if not link_kinds.get(mode, True):
        return Unavailable(f"This kernel has no {mode} module: load it (sudo modprobe {mode}) or use another kernel.")
    if engine.network_plugins and mode not in engine.network_plugins:
        return Unavailable(f"This engine has no {mode} driver: update it.")
    if not parents:
        return Unavailable(
            f"{mode} needs an Ethernet link of the machine as parent, and the machine has none: use a private host."
        )
    return Available()


def _overlay(engine: EngineTraits, link_kinds: Mapping[str, bool]) -> Availability:
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
        return Unavailable("Overlay networks need swarm mode: run `docker swarm init` on this engine first.")
    return Available()


def availability(
    engine: EngineTraits, link_kinds: Mapping[str, bool], parents: Sequence[str] = ()
) -> dict[Mode, Availability]:
    """The availability of every mode.

    ``link_kinds`` tells which kernel link kinds (macvlan, ipvlan, vxlan) can be created; a missing kind was not
    tested and counts as supported. ``parents`` are links of the machine that macvlan and ipvlan can use.
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
        Mode.MACVLAN: _parent_mode(Mode.MACVLAN, engine, link_kinds, parents),
        Mode.IPVLAN: _parent_mode(Mode.IPVLAN, engine, link_kinds, parents),
        Mode.OVERLAY: _overlay(engine, link_kinds),
    }

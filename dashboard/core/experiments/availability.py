"""Which modes an engine on this kernel can run, and why not: one sentence that says what to do.

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
    """What decides about modes, of everything that an engine says about itself.

    ``network_plugins`` as in /info; empty means that the engine did not say. ``default_bridge`` is false
    where the daemon runs with ``--bridge=none``.
    """

    version: str
    desktop: bool = False
    rootless: bool = False
    userns_remap: bool = False
    swarm_active: bool = False
    network_plugins: tuple[str, ...] = ()
    default_bridge: bool = True


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor of ``26.1.5+dfsg1``; (0, 0) if the text has none."""
    found = re.match(r"v?(\d{1,6})\.(\d{1,6})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _host(engine: EngineTraits) -> Availability:
    if engine.desktop:
        return Unavailable(
            "On Docker Desktop host mode shares the network of Docker's virtual machine, not this computer's: "
            "use Docker Engine on Linux (since 4.34 Desktop can be told to forward TCP and UDP ports, no more)."
        )
    if engine.rootless and parse_version(engine.version) < ROOTLESS_HOST_SINCE:
        return Unavailable(
            "A rootless engine before 29.5 shares RootlessKit's network, not the machine's: "
            "update the engine or use one that runs as root."
        )
    if engine.userns_remap:
        return Unavailable(
            "The engine remaps user namespaces and then refuses host mode: "
            "remove userns-remap from its configuration, or use a private host."
        )
    return Available()


def _on_a_parent(
    mode: Mode, engine: EngineTraits, link_kinds: Mapping[str, bool], parents: Sequence[str]
) -> Availability:
    if engine.desktop:
        return Unavailable(
            f"On Docker Desktop {mode} reaches only Docker's virtual machine: use Docker Engine on Linux."
        )
    if engine.rootless:
        return Unavailable(f"A rootless engine cannot make {mode} links: use an engine that runs as root.")
    if not link_kinds.get(mode, True):
        return Unavailable(f"This kernel has no {mode}: load it (sudo modprobe {mode}) or use a kernel that has it.")
    if engine.network_plugins and mode not in engine.network_plugins:
        return Unavailable(f"This engine has no {mode} driver: update it.")
    if not parents:
        return Unavailable(
            f"{mode} needs an Ethernet link of the machine as its parent and there is none: use a private host."
        )
    return Available()


def _overlay(engine: EngineTraits, link_kinds: Mapping[str, bool]) -> Availability:
    if engine.network_plugins and "overlay" not in engine.network_plugins:
        return Unavailable("This engine has no overlay driver: update it.")
    if not link_kinds.get("vxlan", True):
        return Unavailable("This kernel has no vxlan, which overlay is made of: load it (sudo modprobe vxlan).")
    if not engine.swarm_active:
        return Unavailable("Overlay networks need swarm mode: run `docker swarm init` on this engine first.")
    return Available()


def availability(
    engine: EngineTraits, link_kinds: Mapping[str, bool], parents: Sequence[str] = ()
) -> dict[Mode, Availability]:
    """Every mode, available or not.

    ``link_kinds`` says of kernel link kinds (macvlan, ipvlan, vxlan) whether they can be made; a kind that
    is not in it was not tried and counts as there. ``parents`` are the machine's links that could carry
    macvlan and ipvlan.
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
        Mode.MACVLAN: _on_a_parent(Mode.MACVLAN, engine, link_kinds, parents),
        Mode.IPVLAN: _on_a_parent(Mode.IPVLAN, engine, link_kinds, parents),
        Mode.OVERLAY: _overlay(engine, link_kinds),
    }

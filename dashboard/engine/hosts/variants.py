"""Engines that private hosts run in tests and claims instead of the machine's: those of Debian releases, and the newest
one in several configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEWEST = "forky"


@dataclass(frozen=True, slots=True)
class Variant:
    """An engine that private hosts can run. ``suite`` is the Debian release of its root file system. ``packages`` are
    additional packages in it. ``options`` are the contents of its daemon.json. ``setup`` is the name of the script that
    starts it, possibly with an argument (``engine_setup``); empty if it needs no script."""

    suite: str = NEWEST
    options: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    setup: str = ""

    @property
    def options_json(self) -> str:
        """The options in the format of NETMODES_ENGINE_OPTIONS; empty if there are none."""
        return json.dumps(self.options, sort_keys=True) if self.options else ""


_ROUTED = {f"com.docker.network.bridge.gateway_mode_{family}": "routed" for family in ("ipv4", "ipv6")}
_ROOTLESS = ("rootlesskit", "slirp4netns", "passt", "uidmap")
_PODMAN = ("podman", "netavark", "aardvark-dns")
#: Three claims start an engine with firewalld.
_FIREWALLD = ("firewalld", "dbus")


def _docker(suite: str = NEWEST, **options: Any) -> Variant:
    """Returns a variant that runs Docker Engine as root with these options. ``_`` in the name of an option stands for
    ``-``."""
    return Variant(suite, {name.replace("_", "-"): value for name, value in options.items()}, _FIREWALLD)


VARIANTS: Mapping[str, Variant] = {
    "debian-bookworm": _docker("bookworm"),
    "debian-trixie": _docker("trixie"),
    "debian-forky": _docker("forky"),
    "userland-proxy=false": _docker(userland_proxy=False),
    "iptables=false": _docker(iptables=False),
    "ip6tables=false": _docker(ip6tables=False),
    "icc=false": _docker(icc=False),
    "ipv6": _docker(ipv6=True),
    "routed": _docker(default_network_opts={"bridge": _ROUTED}),
    "userns-remap": _docker(userns_remap="nobody:nogroup"),
    "containerd-store": _docker(features={"containerd-snapshotter": True}),
    "live-restore": _docker(live_restore=True),
    "firewalld": Variant(packages=_FIREWALLD, setup="firewalld"),
    "rootless-slirp4netns": Variant(packages=_ROOTLESS, setup="rootless-slirp4netns"),
    "rootless-pasta": Variant(packages=_ROOTLESS, setup="rootless-pasta"),
    "rootless-podman": Variant(packages=("slirp4netns", "passt", "uidmap", *_PODMAN), setup="rootless-podman"),
    "podman-trixie": Variant("trixie", packages=_PODMAN, setup="podman"),
    "podman": Variant(packages=_PODMAN, setup="podman"),
}

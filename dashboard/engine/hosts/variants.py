"""Engines other than the machine's for tests and claims: roots of Debian, and configurations of the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEWEST = "forky"


@dataclass(frozen=True, slots=True)
class Variant:
    """One engine: the Debian release of its root, options for its daemon.json, packages that its root has in addition,
    and how private hosts start it (a script of ``setups``)."""

    suite: str = NEWEST
    options: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    setup: str = ""

    @property
    def options_json(self) -> str:
        """The options as NETMODES_ENGINE_OPTIONS takes them."""
        return json.dumps(self.options, sort_keys=True) if self.options else ""


_ROUTED = {f"com.docker.network.bridge.gateway_mode_{family}": "routed" for family in ("ipv4", "ipv6")}
_ROOTLESS = ("rootlesskit", "slirp4netns", "passt", "uidmap")
_PODMAN = ("podman", "netavark", "aardvark-dns")

VARIANTS: Mapping[str, Variant] = {
    "debian-bookworm": Variant("bookworm"),
    "debian-trixie": Variant("trixie"),
    "debian-forky": Variant("forky"),
    "userland-proxy=false": Variant(options={"userland-proxy": False}),
    "iptables=false": Variant(options={"iptables": False}),
    "ip6tables=false": Variant(options={"ip6tables": False}),
    "icc=false": Variant(options={"icc": False}),
    "ipv6": Variant(options={"ipv6": True}),
    "routed": Variant(options={"default-network-opts": {"bridge": _ROUTED}}),
    "userns-remap": Variant(options={"userns-remap": "nobody:nogroup"}),
    "containerd-store": Variant(options={"features": {"containerd-snapshotter": True}}),
    "live-restore": Variant(options={"live-restore": True}),
    "firewalld": Variant(packages=("firewalld", "dbus"), setup="firewalld"),
    "rootless-slirp4netns": Variant(packages=_ROOTLESS, setup="rootless-slirp4netns"),
    "rootless-pasta": Variant(packages=_ROOTLESS, setup="rootless-pasta"),
    "rootless-podman": Variant(packages=("passt", "uidmap", *_PODMAN), setup="rootless-podman"),
    "podman-trixie": Variant("trixie", packages=_PODMAN, setup="podman"),
    "podman": Variant(packages=_PODMAN, setup="podman"),
}

"""The importance of rows. In its section, a row that decides for or against a mode comes first, a detail last.

The weight of a row depends only on its identity, so rows of old reports have one too.
"""

from collections.abc import Iterable
from enum import IntEnum

from dashboard.core.experiments.messages import Row


class Weight(IntEnum):
    """The importance of a row, the most important first. Pages hide rows of the weight ``DETAIL`` until they are
    expanded."""

    DECIDES = 0
    EXPLAINS = 1
    DETAIL = 2


_DECIDING_FACTS = ("netns", "address")
_DETAIL_FIELDS = ("mtu", "mac")
_FORWARDING = ("net.ipv4.ip_forward",)
_DECIDING_SYSCTLS = ("net.ipv4.ip_unprivileged_port_start",)
#: Multicast and link-local destinations: every interface with IPv6 has them (RFC 4291, section 2.4).
_LINK_LOCAL = ("fe80:", "ff")


def _weigh_identity(key: str, field: str) -> Weight:
    if key.startswith("namespace "):
        return Weight.DETAIL
    return Weight.DECIDES if key in _DECIDING_FACTS else Weight.EXPLAINS


def _weigh_listener(key: str, field: str) -> Weight:
    return Weight.DECIDES if " :" in key else Weight.DETAIL


def _weigh_interface(key: str, field: str) -> Weight:
    if field in _DETAIL_FIELDS:
        return Weight.DETAIL
    if key.startswith("veth"):
        # The machine's end of a pair has only a link-local address.
        return Weight.EXPLAINS if field == "joined" else Weight.DETAIL
    return Weight.EXPLAINS if key == "lo" else Weight.DECIDES


def _weigh_route(key: str, field: str) -> Weight:
    if key.startswith(_LINK_LOCAL):
        return Weight.DETAIL
    return Weight.DECIDES if key == "default" else Weight.EXPLAINS


def _weigh_name_service(key: str, field: str) -> Weight:
    if key == "resolver":
        return {"nameservers": Weight.DECIDES, "options": Weight.DETAIL}.get(field, Weight.EXPLAINS)
    return Weight.DECIDES


def _weigh_host(key: str, field: str) -> Weight:
    return Weight.DETAIL if key.startswith(("localhost", "ip6-")) else Weight.DECIDES


def _weigh_sysctl(key: str, field: str) -> Weight:
    if key in _DECIDING_SYSCTLS:
        return Weight.DECIDES
    return Weight.EXPLAINS if key in _FORWARDING else Weight.DETAIL


_WEIGHERS = {
    "identity": _weigh_identity,
    "listeners": _weigh_listener,
    "interfaces": _weigh_interface,
    "routes": _weigh_route,
    "dns": _weigh_name_service,
    "hosts": _weigh_host,
    "sysctls": _weigh_sysctl,
}


def weigh(section: str, key: str, field: str) -> Weight:
    """Returns the weight of the row with this identity. In sections without a rule in ``_WEIGHERS``, such as published
    ports, it is ``DECIDES``."""
    weigher = _WEIGHERS.get(section)
    return weigher(key, field) if weigher is not None else Weight.DECIDES


def weigh_row(row: Row) -> Weight:
    """Returns the weight of a row."""
    return weigh(row.section, row.key, row.field)


def by_weight(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Sorts the rows of each section by weight. The order of the sections, and of rows with the same weight, is
    kept."""
    rows = tuple(rows)
    places = {section: place for place, section in enumerate(dict.fromkeys(row.section for row in rows))}
    return tuple(sorted(rows, key=lambda row: (places[row.section], weigh_row(row))))

"""Combines the listings of iptables and nftables into the rules of the firewall.

Tables of the nft variant of iptables appear in both listings. They are read from the listing of iptables, because nft
shows the extensions of iptables only by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dashboard.core.namespaces.iptables import read_iptables
from dashboard.core.namespaces.nftables import NftRuleset, read_nftables
from dashboard.core.namespaces.packet_filter import read_rules
from dashboard.core.namespaces.packet_rules import Table
from dashboard.core.namespaces.state import Family, FirewallRules, UnreadRules


@dataclass(frozen=True, slots=True)
class Listing:
    """The output of a tool. If it cannot be used, ``error`` is the reason."""

    text: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Listings:
    """All listings of one moment.

    ``saved`` has the output of iptables-save (IPv4) and ip6tables-save (IPv6). A family has one listing for each
    variant of iptables (nft, legacy) that was read. ``nft`` is the output of ``nft -j list ruleset``. If ``needs_nft``
    is true, only ``nft`` has the Engine's own rules.
    """

    saved: Mapping[Family, tuple[Listing, ...]]
    nft: Listing
    needs_nft: bool = False


def read_listings(listings: Listings, bridges: Mapping[Family, Iterable[str]]) -> FirewallRules:
    """Returns what the rules in the listings do to requests. If the rules of a family could not be read, ``unread`` of
    the result has the reason. ``bridges`` has, by family, the bridges whose internal traffic passes the packet filter
    (br_netfilter)."""
    ruleset, nft_error = _read_nft(listings.nft)
    names = {Family.INET: "ip", Family.INET6: "ip6"}
    tables: list[Table] = []
    unread: list[UnreadRules] = []
    seen: set[tuple[str, str]] = set()
    for family, name in names.items():
        saved = listings.saved.get(family, ())
        error = next((one.error for one in saved if one.error), "")
        for listing in saved:
            of_family = read_iptables(listing.text, family)
            tables += of_family.values()
            seen |= {(name, table) for table in of_family}
        foreign = any(key[0] in {name, "inet"} and key not in seen for key in ruleset.foreign)
        if listings.needs_nft and nft_error:
            unread.append(UnreadRules(family, nft_error))
        elif error and (nft_error or foreign):
            unread.append(UnreadRules(family, error))
    tables += [table for key, table in ruleset.tables.items() if key not in seen]
    unknown = {one.family for one in unread}
    known = [
        replace(table, families=families)
        for table in tables
        if (families := tuple(family for family in table.families if family not in unknown))
    ]
    rules = read_rules(known, {family: of for family, of in bridges.items() if family not in unknown})
    return replace(rules, unread=tuple(unread))


def _read_nft(listing: Listing) -> tuple[NftRuleset, str]:
    # Warnings come before or behind the document, which is one line.
    document = next((line for line in listing.text.splitlines() if line.startswith("{")), "")
    if listing.error or not document:
        return NftRuleset(), listing.error or "nft printed no ruleset"
    try:
        return read_nftables(document), ""
    except ValueError as error:
        return NftRuleset(), f"nft: {error}"

"""Reads the packet filter's rules of a namespace with the machine's own tools."""

import asyncio
import shutil
from collections.abc import Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.namespaces.firewall_listings import Listing, Listings, read_listings
from dashboard.core.namespaces.state import Family, FirewallRules, UnreadRules
from dashboard.core.paths.nat_rules import has_nat_rules, listing_commands
from dashboard.netns.exec_tool import SEARCH_PATH, run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone

TIMEOUT_S = 5.0
MAX_LISTING_BYTES = 8_000_000
_PREFIX = {Family.INET: "ip", Family.INET6: "ip6"}


@dataclass(frozen=True, slots=True)
class _KernelFacts:
    """What the kernel reports about the packet filter of a namespace. ``legacy`` are the address families that have
    tables of legacy iptables. ``bridged`` are the families for which the rules also apply to packets within a bridge
    (bridge-nf-call-iptables)."""

    legacy: frozenset[Family]
    bridged: frozenset[Family]


async def read_firewall(namespace: Namespace, backend: str, bridges: Iterable[str]) -> FirewallRules:
    """Returns the rules of the namespace that affect requests. ``backend`` is the firewall backend that the Engine
    reports. It is empty for Podman, which reports none and may use nftables. ``bridges`` are the names of the
    namespace's bridges.

    Never raises an error of the namespace or of a tool: if rules could not be read, the result contains the reason.
    """
    try:
        facts = await namespace.arun(_read_facts)
        commands = {family: _save_commands(family, legacy=family in facts.legacy) for family in Family}
        saved, nft = await asyncio.gather(
            asyncio.gather(*(_run_all(namespace, commands[family]) for family in Family)),
            _run(namespace, ("nft", "-j", "list", "ruleset")),
        )
    except (NamespaceGone, OSError) as error:
        reason = str(error)
        return FirewallRules(unread=tuple(UnreadRules(family, reason) for family in Family))
    listings = Listings(dict(zip(Family, saved, strict=True)), nft, needs_nft=not backend.startswith("iptables"))
    names = tuple(bridges)
    return await asyncio.to_thread(read_listings, listings, dict.fromkeys(facts.bridged, names))


async def read_nat_listing(namespace: Namespace, backend: str, *, ipv6: bool = False) -> Listing:
    """Returns a listing of the nat rules of IPv4, or of IPv6 if ``ipv6`` is true, with their counters.

    The listing is that of the first tool that lists any nat rules. If no tool does, it is that of the last tool.
    ``backend`` is the firewall backend that the Engine reports. Errors are in the listing.
    """
    family = Family.INET6 if ipv6 else Family.INET
    try:
        facts = await namespace.arun(_read_facts)
        listing = Listing()
        for command in listing_commands(backend, _save_commands(family, legacy=family in facts.legacy)):
            listing = await _run(namespace, command)
            if has_nat_rules(listing.text.splitlines()):
                break
    except (NamespaceGone, OSError) as error:
        return Listing(error=str(error))
    return listing


async def read_counted_listing(namespace: Namespace, backend: str, *, ipv6: bool = False) -> Listing:
    """Returns a listing of the rules of iptables for IPv4, or for IPv6 if ``ipv6`` is true, with their counters. If the
    engine may use nftables, all rules of nftables follow. ``backend`` is the firewall backend that the Engine reports.
    Errors are in the listing."""
    family = Family.INET6 if ipv6 else Family.INET
    try:
        facts = await namespace.arun(_read_facts)
        commands: list[tuple[str, ...]] = [
            (save, "-c") for save in _save_commands(family, legacy=family in facts.legacy)
        ]
        if not backend or backend.startswith("nftables"):
            commands.append(("nft", "list", "ruleset"))
        listings = [await _run(namespace, command) for command in commands]
    except (NamespaceGone, OSError) as error:
        return Listing(error=str(error))
    read = [listing.text for listing in listings if not listing.error]
    return Listing("\n".join(read)) if read else listings[-1]


async def read_numbered_rules(namespace: Namespace, *, ipv6: bool = False) -> tuple[Listing, Listing]:
    """Returns two listings: all rules of nftables with their handles, and the rules that iptables has stored in
    nftables for IPv4, or for IPv6 if ``ipv6`` is true."""
    save = "ip6tables-nft-save" if ipv6 else "iptables-nft-save"
    listed, saved = await asyncio.gather(_run(namespace, ("nft", "-a", "list", "ruleset")), _run(namespace, (save,)))
    return listed, saved


async def has_legacy_rules(namespace: Namespace, *, ipv6: bool = False) -> bool:
    """Returns whether iptables with the legacy backend has tables for IPv4, or for IPv6 if ``ipv6`` is true. Raises
    NamespaceGone or OSError."""
    facts = await namespace.arun(_read_facts)
    return (Family.INET6 if ipv6 else Family.INET) in facts.legacy


def _read_facts() -> _KernelFacts:
    legacy, bridged = set(), set()
    for family, prefix in _PREFIX.items():
        with suppress(OSError):
            if Path(f"/proc/thread-self/net/{prefix}_tables_names").read_text().strip():
                legacy.add(family)
        with suppress(OSError):
            if Path(f"/proc/sys/net/bridge/bridge-nf-call-{prefix}tables").read_text().strip() == "1":
                bridged.add(family)
    return _KernelFacts(frozenset(legacy), frozenset(bridged))


def _save_commands(family: Family, *, legacy: bool) -> tuple[str, ...]:
    """Returns the commands that print all tables of iptables for a family. Each variant of iptables (nft, legacy) has
    its own tables and its own command. The tables of the legacy variant are printed only if ``legacy`` is true. If a
    command is not installed, the command without a variant, such as ``iptables-save``, is added."""
    prefix = _PREFIX[family]
    variants = ["nft", "legacy"] if legacy else ["nft"]
    own = [f"{prefix}tables-{variant}-save" for variant in variants]
    found = [name for name in own if shutil.which(name, path=SEARCH_PATH)]
    return tuple(found) if len(found) == len(own) else (*found, f"{prefix}tables-save")


async def _run_all(namespace: Namespace, commands: Iterable[str]) -> tuple[Listing, ...]:
    return tuple(await asyncio.gather(*(_run(namespace, (command,)) for command in commands)))


async def _run(namespace: Namespace, argv: tuple[str, ...]) -> Listing:
    if shutil.which(argv[0], path=SEARCH_PATH) is None:
        return Listing(error=f"{argv[0]} is not installed")
    codes: list[int | None] = []
    output = run_inside(namespace, argv, timeout_s=TIMEOUT_S, limit_bytes=MAX_LISTING_BYTES, on_exit=codes.append)
    async with aclosing(output) as pieces:
        text = "".join([piece async for piece in pieces])
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "no output")
    # A tool may have ended with all its output in the pipe when the listing was cut.
    if codes == [0] and not last.startswith(("[cut after ", "[stopped after ")):
        return Listing(text)
    return Listing(error=f"{argv[0]}: {last.strip()[:200]}")

"""What the packet filter does to requests: its chains are followed from the kernel's hooks, as packets do (iptables(8),
nft(8))."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dashboard.core.namespaces.destinations import Destinations, Network
from dashboard.core.namespaces.packet_rules import Chain, Rule, Table, Verdict
from dashboard.core.namespaces.state import (
    DirectDrop,
    Family,
    FirewallRules,
    IsolatedBridge,
    Protocol,
    Translation,
    sorted_rules,
)

#: The kernel's limit for jumps within jumps (NFT_JUMP_STACK_SIZE).
MAX_DEPTH = 16
#: Limits the work for a listing whose chains are reached in many ways.
MAX_STEPS = 200_000


def read_rules(tables: Sequence[Table], bridges: Mapping[Family, Iterable[str]]) -> FirewallRules:
    """What the rules do. ``bridges`` are those whose packets pass the filter of a family (br_netfilter)."""
    translations = [
        translation
        for table in tables
        for family in table.families
        for translation in _Walk(table, family).translations()
    ]
    isolated = (
        IsolatedBridge(family, name)
        for family in Family
        for name in sorted(bridges.get(family, ()))
        if _drops(tables, family, name, name)
    )
    drops = sorted_rules(
        drop
        for table in tables
        for family in table.families
        for chain in table.hooked("filter", "prerouting")
        for drop in _direct_drops(chain, family)
    )
    closed = (IsolatedBridge(family, name) for family in Family for name in sorted(_closed_links(tables, family)))
    return FirewallRules(sorted_rules(translations), tuple(isolated), direct_drops=drops, closed_bridges=tuple(closed))


def _closed_links(tables: Sequence[Table], family: Family) -> set[str]:
    """The links to which a rule drops every new TCP connection from elsewhere to a port that no rule names."""
    rules = [
        rule for table in tables if family in table.families for chain in table.chains.values() for rule in chain.rules
    ]
    links = {match.name for rule in rules for match in rule.outgoing if not match.negated} - {"lo"}
    origins = {match.name for rule in rules for match in rule.incoming if not match.negated} - links - {"lo"}
    return {
        link for link in links if all(_drops(tables, family, origin, link, named=False) for origin in ("", *origins))
    }


def _direct_drops(chain: Chain, family: Family) -> Iterator[DirectDrop]:
    """What the Engine drops before it is routed: packets for a container's address that arrive on another interface
    than its bridge (Moby, libnetwork/drivers/bridge: direct routing, trusted host interfaces). Rules with conditions
    that are not evaluated count as absent."""
    trusted: dict[tuple[Network, ...], set[str]] = {}
    for rule in chain.rules:
        if family not in rule.families or rule.protocols or rule.ports is not None or rule.unknown or not rule.new:
            continue
        names = {match.name for match in rule.incoming}
        if rule.verdict is Verdict.ACCEPT and names and not any(match.negated for match in rule.incoming):
            trusted.setdefault(rule.destinations, set()).update(names)
        elif rule.verdict is Verdict.DROP and all(match.negated for match in rule.incoming):
            for network in rule.destinations:
                if network.prefixlen == network.max_prefixlen:
                    accepted = {*names, *trusted.get((network,), ()), *trusted.get((), ())}
                    yield DirectDrop(family, str(network.network_address), tuple(sorted(accepted)))


def _matching(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    networks = rule.destinations or (None,)
    found = (one.within(network, rule.not_destinations) for one in rest for network in networks)
    return [one for one in found if one is not None]


def _remaining(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    """The destinations of ``rest`` that the rule does not match; later rules decide about them."""
    left = list(rest)
    outside = [one.within(None, rule.destinations) for one in left] if rule.destinations else []
    excepted = [one.within(network, ()) for one in left for network in rule.not_destinations]
    return [one for one in (*outside, *excepted) if one is not None]


class _Walk:
    """Follows the nat rules of one table for packets that the machine's own programs send."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._family = family
        self._steps = MAX_STEPS
        self._port = 0
        self._protocol = Protocol.TCP
        self._found: list[Translation] = []

    def translations(self) -> list[Translation]:
        """The translations for every port that a rule names."""
        start = self._table.hooked("nat", "output")
        rules = [rule for chain in self._table.chains.values() for rule in chain.rules] if start else []
        if any(rule.verdict is Verdict.TRANSLATE for rule in rules):
            for self._port in sorted({port for rule in rules for port in rule.ports or ()}):
                for self._protocol in Protocol:
                    rest = [Destinations()]
                    for chain in start:
                        # A packet that a nat chain accepts without a translation still enters the next one.
                        rest, accepted = self._follow(chain, rest)
                        rest += accepted
        return self._found

    def _follow(
        self, chain: Chain, rest: list[Destinations], depth: int = 0
    ) -> tuple[list[Destinations], list[Destinations]]:
        """What is not translated: packets that continue after the chain, and those with a final verdict."""
        entered, count = rest, len(self._found)
        returned: list[Destinations] = []
        final: list[Destinations] = []
        for rule in chain.own_rules(self._family, self._protocol, self._port):
            matching = _matching(rest, rule)
            self._steps -= max(1, len(rest))
            if not matching or self._steps < 0 or rule.verdict is Verdict.NONE:
                continue
            inner = [one.only_if(rule.unknown) for one in matching]
            after: list[Destinations] = []
            if rule.verdict is Verdict.TRANSLATE:
                self._found += [self._translation(rule, one) for one in inner]
            elif rule.verdict in {Verdict.JUMP, Verdict.GOTO}:
                target = self._table.chains.get(rule.target)
                known = target is not None and depth < MAX_DEPTH
                after, ended = self._follow(target, inner, depth + 1) if target and known else ([], inner)
                final += ended
                if rule.verdict is Verdict.GOTO:
                    returned += after
                    after = []
                elif after == inner:  # Nothing ended there: the condition of the jump decides nothing.
                    continue
            elif rule.verdict is Verdict.RETURN:
                returned += inner
            else:
                final += inner
            passed = [one.only_if(f"not ({rule.unknown})") for one in matching] if rule.unknown else []
            rest = list(dict.fromkeys((*_remaining(rest, rule), *passed, *after)))
        if not final and len(self._found) == count:  # Everything continues, whatever conditions hold.
            return entered, []
        return rest + returned, final

    def _translation(self, rule: Rule, to: Destinations) -> Translation:
        address = ""
        if to.network is not None:
            single = to.network.prefixlen == to.network.max_prefixlen
            address = str(to.network.network_address if single else to.network)
        return Translation(
            self._protocol,
            self._family,
            self._port,
            rule.to_address,
            rule.to_port or self._port,
            address,
            tuple(map(str, to.excluded)),
            "; ".join(to.conditions),
        )


def _drops(tables: Sequence[Table], family: Family, incoming: str, outgoing: str, *, named: bool = True) -> bool:
    """Whether a rule drops every new TCP connection between two links; without ``named`` those to a destination that no
    rule names."""
    return any(
        (_verdict(table, chain, family, (incoming, outgoing), named=named) or chain.policy) is Verdict.DROP
        for table in tables
        if family in table.families
        for chain in table.hooked("filter", "forward")
    )


def _verdict(
    table: Table, chain: Chain, family: Family, links: tuple[str, str], *, named: bool, depth: int = 0
) -> Verdict | None:
    """The verdict on such a connection; None if it continues after the chain. A rule that accepts some of them counts
    as accepting all, because it is not known which."""
    for rule in chain.rules:
        if family not in rule.families or not rule.passes(*links):
            continue
        if not named and (rule.destinations or rule.ports is not None):
            continue
        if rule.protocols and Protocol.TCP not in rule.protocols:
            continue
        partial = bool(rule.destinations or rule.not_destinations or rule.ports is not None or rule.unknown)
        verdict: Verdict | None = rule.verdict
        if verdict in {Verdict.JUMP, Verdict.GOTO}:
            target = table.chains.get(rule.target)
            known = target is not None and depth < MAX_DEPTH
            deeper = _verdict(table, target, family, links, named=named, depth=depth + 1) if target and known else None
            if deeper is None and rule.verdict is Verdict.GOTO and not partial:
                return None
            verdict = deeper
        if verdict is Verdict.ACCEPT or (verdict is Verdict.DROP and not partial):
            return verdict
        if verdict is Verdict.RETURN and not partial:
            return None
    return None

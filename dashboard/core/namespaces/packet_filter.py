"""Computes what the packet filter does to requests: follows its chains from the kernel's hooks, in the order in which
packets pass them (iptables(8), nft(8))."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dashboard.core.namespaces.destinations import Destinations, Network
from dashboard.core.namespaces.packet_rules import Chain, NameMatch, Rule, Table, Verdict
from dashboard.core.namespaces.state import (
    ClosedBridge,
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
    """Returns what the rules do to requests. ``bridges`` has, by family, the bridges whose internal traffic passes the
    packet filter (br_netfilter)."""
    translations = [
        translation
        for table in tables
        for family in table.families
        for translation in _NatTraversal(table, family).translations()
    ]
    forwarding = {family: _Forwarding(tables, family) for family in Family}
    isolated = (
        IsolatedBridge(family, name)
        for family in Family
        for name in sorted(bridges.get(family, ()))
        if forwarding[family].drops(name, name)
    )
    drops = sorted_rules(
        drop
        for table in tables
        for family in table.families
        for chain in table.base_chains("filter", "prerouting")
        for drop in _direct_drops(table, chain, family)
    )
    closed = (link for family in Family for link in forwarding[family].closed_links())
    return FirewallRules(sorted_rules(translations), tuple(isolated), direct_drops=drops, closed_bridges=tuple(closed))


def _direct_drops(table: Table, chain: Chain, family: Family) -> Iterator[DirectDrop]:
    """Yields the Engine's rules that drop packets to a container before routing if they do not arrive on its bridge
    (Moby, libnetwork/drivers/bridge: direct routing, trusted host interfaces). Skips rules with conditions that are not
    evaluated. Also skips rules for addresses whose packets an earlier rule may accept."""
    trusted: dict[Network | None, set[str]] = {}
    excepted: set[Network] = set()
    targets = (rule for one in table.chains.values() if not one.hook for rule in one.rules)
    jumps_accept = any(rule.verdict is Verdict.ACCEPT for rule in targets)
    steps = MAX_STEPS
    for rule in chain.rules:
        if family not in rule.families or not rule.new or (rule.protocols and Protocol.TCP not in rule.protocols):
            continue
        partial = bool(rule.protocols or rule.ports is not None or rule.unknown or rule.not_destinations)
        names = {match.name for match in rule.incoming}
        if rule.verdict is Verdict.DROP:
            if partial or any(not match.negated for match in rule.incoming):
                continue
            for network in filter(_is_single, rule.destinations):
                accepted = names | trusted.get(network, set()) | trusted.get(None, set())
                steps -= 1 + len(excepted) + len(accepted)
                if steps < 0:
                    return
                if not any(network.overlaps(one) for one in excepted):
                    yield DirectDrop(family, str(network.network_address), tuple(sorted(accepted)))
        elif rule.verdict in {Verdict.ACCEPT, Verdict.RETURN, Verdict.GOTO} or (
            rule.verdict is Verdict.JUMP and jumps_accept
        ):
            one_link = len(rule.incoming) == 1 and not rule.incoming[0].negated
            one_address = len(rule.destinations) == 1 and _is_single(rule.destinations[0])
            if rule.verdict is Verdict.ACCEPT and one_link and not partial and (one_address or not rule.destinations):
                trusted.setdefault(next(iter(rule.destinations), None), set()).update(names)
            elif rule.destinations:
                excepted.update(rule.destinations)
            else:
                return


def _is_single(network: Network) -> bool:
    return network.prefixlen == network.max_prefixlen


def _matching(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    networks = rule.destinations or (None,)
    found = (one.within(network, rule.not_destinations) for one in rest for network in networks)
    return [one for one in found if one is not None]


def _remaining(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    """Returns the destinations of ``rest`` that the rule does not match. Later rules decide about them."""
    left = list(rest)
    outside = [one.within(None, rule.destinations) for one in left] if rule.destinations else []
    excepted = [one.within(network, ()) for one in left for network in rule.not_destinations]
    return [one for one in (*outside, *excepted) if one is not None]


class _NatTraversal:
    """Follows the nat rules of one table for packets that the machine's own programs send."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._family = family
        self._steps = MAX_STEPS
        self._port = 0
        self._protocol = Protocol.TCP
        self._found: list[Translation] = []

    def translations(self) -> list[Translation]:
        """Returns how the table translates packets, for every port that one of its rules names."""
        start = self._table.base_chains("nat", "output")
        rules = [rule for chain in self._table.chains.values() for rule in chain.rules] if start else []
        if any(rule.verdict is Verdict.TRANSLATE for rule in rules):
            for self._port in sorted({port for rule in rules for port in rule.ports or ()}):
                for self._protocol in Protocol:
                    if self._steps < 0:
                        return self._found
                    rest = [Destinations()]
                    for chain in start:
                        # A packet that a nat chain accepts without a translation still enters the next one.
                        rest, accepted = self._follow(chain, rest)
                        rest += accepted
        return self._found

    def _follow(
        self, chain: Chain, rest: list[Destinations], depth: int = 0
    ) -> tuple[list[Destinations], list[Destinations]]:
        """Records how a chain translates packets that enter it with the destinations ``rest``. Returns the destinations
        of untranslated packets: of those that continue after the chain, and of those with a final verdict."""
        entered, count = rest, len(self._found)
        returned: list[Destinations] = []
        final: list[Destinations] = []
        for rule in chain.own_rules(self._family, self._protocol, self._port):
            self._steps -= max(1, len(rest))
            if self._steps < 0:
                break
            matching = _matching(rest, rule)
            if not matching or rule.verdict is Verdict.NONE:
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
                elif after == inner:  # No packet ended there, so the jump's condition is irrelevant.
                    continue
            elif rule.verdict is Verdict.RETURN:
                returned += inner
            else:
                final += inner
            passed = [one.only_if(f"not ({rule.unknown})") for one in matching] if rule.unknown else []
            rest = list(dict.fromkeys((*_remaining(rest, rule), *passed, *after)))
        if not final and len(self._found) == count:  # All packets continue under any conditions.
            return entered, []
        return rest + returned, final

    def _translation(self, rule: Rule, to: Destinations) -> Translation:
        address = ""
        if to.network is not None:
            address = str(to.network.network_address if _is_single(to.network) else to.network)
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


class _Forwarding:
    """Computes what the filter rules of a family do to new TCP connections that the machine forwards."""

    def __init__(self, tables: Sequence[Table], family: Family) -> None:
        self._family = family
        self._steps = MAX_STEPS
        tables = [table for table in tables if family in table.families]
        self._start = [(table, chain) for table in tables for chain in table.base_chains("filter", "forward")]
        self._rules = [rule for table in tables for chain in table.chains.values() for rule in chain.rules]
        self._leaving: dict[tuple[int, str], list[Rule]] = {}
        self._published = {
            (rule.to_address, port)
            for rule in self._rules
            if rule.verdict is Verdict.TRANSLATE and (not rule.protocols or Protocol.TCP in rule.protocols)
            for port in ([rule.to_port] if rule.to_port else rule.ports or ())
        }

    def closed_links(self) -> Iterator[ClosedBridge]:
        """Yields the closed links. The rules drop connections to a closed link, except to published ports, from every
        link that no rule names. ``open_from`` has the links that rules name and whose connections may be accepted."""
        links = {match.name for rule in self._rules for match in rule.outgoing if not match.negated} - {"lo"}
        origins = sorted({match.name for rule in self._rules for match in rule.incoming} - {"lo"})
        for link in sorted(links):
            if self.drops("", link, unpublished=True):
                accepted = (one for one in origins if one != link and not self.drops(one, link, unpublished=True))
                yield ClosedBridge(self._family, link, tuple(accepted))

    def drops(self, incoming: str, outgoing: str, *, unpublished: bool = False) -> bool:
        """Whether all connections from link ``incoming`` to link ``outgoing`` are certainly dropped. If ``unpublished``
        is true, rules that accept connections to published ports are ignored."""
        self.step()
        for table, chain in self._start:
            outcomes = _ForwardTraversal(self, table, (incoming, outgoing), unpublished=unpublished).outcomes(chain)
            if {chain.policy if outcome is Verdict.RETURN else outcome for outcome in outcomes} == {Verdict.DROP}:
                return True
        return False

    def rules_towards(self, chain: Chain, outgoing: str) -> list[Rule]:
        """Returns the rules of a chain that may match a new TCP connection that leaves through ``outgoing``."""
        key = (id(chain), outgoing)
        if key not in self._leaving and self.step(len(chain.rules)):
            self._leaving[key] = [
                rule
                for rule in chain.rules
                if self._family in rule.families
                and rule.new
                and (not rule.protocols or Protocol.TCP in rule.protocols)
                and all(match.matches(outgoing) for match in rule.outgoing)
            ]
        return self._leaving.get(key, [])

    def step(self, count: int = 1) -> bool:
        """Counts steps of the computation. Returns False after ``MAX_STEPS``: the computation must then end."""
        self._steps -= count
        return self._steps >= 0

    def is_for_published_port(self, rule: Rule) -> bool:
        """Whether a rule accepts connections to a published port. A nat rule leads to such a port. In a routed network,
        Docker instead opens the port for all links except the container's bridge."""
        if rule.verdict is not Verdict.ACCEPT or rule.ports is None or len(rule.destinations) != 1:
            return False
        (network,) = rule.destinations
        if not _is_single(network):
            return False
        bridge = rule.outgoing[0].name if rule.outgoing else ""
        if rule.outgoing == (NameMatch(bridge),) and rule.incoming == (NameMatch(bridge, negated=True),):
            return True
        if not self.step(len(rule.ports)):
            return False
        return {(str(network.network_address), port) for port in rule.ports} <= self._published


class _ForwardTraversal:
    """Follows connections between two links through the chains of one table. The outcomes of each chain are computed
    only once, because the number of ways through chains that jump to each other can be too large."""

    def __init__(self, rules: _Forwarding, table: Table, links: tuple[str, str], *, unpublished: bool) -> None:
        self._rules = rules
        self._table = table
        self._links = links
        self._unpublished = unpublished
        self._known: dict[str, frozenset[Verdict]] = {}

    def outcomes(self, chain: Chain, depth: int = 0) -> frozenset[Verdict]:
        """Returns the possible verdicts on connections that enter a chain; includes RETURN if they may leave the chain.
        Includes ACCEPT if the computation takes too many steps, so that no drop is reported as certain."""
        found: set[Verdict] = set()
        for rule in self._rules.rules_towards(chain, self._links[1]):
            if not self._rules.step():
                break
            if not rule.passes(*self._links) or (self._unpublished and self._rules.is_for_published_port(rule)):
                continue
            ends = self._ends(rule, depth)
            found |= ends - {Verdict.NONE}
            partial = rule.destinations or rule.not_destinations or rule.ports is not None or rule.unknown
            if Verdict.NONE not in ends and not partial:
                return frozenset(found)
        return frozenset({*found, Verdict.RETURN if self._rules.step(0) else Verdict.ACCEPT})

    def _ends(self, rule: Rule, depth: int) -> frozenset[Verdict]:
        """Returns the possible verdicts on connections that match a rule; includes NONE if the next rule may apply."""
        if rule.verdict not in {Verdict.JUMP, Verdict.GOTO}:
            return frozenset({Verdict.NONE if rule.verdict is Verdict.TRANSLATE else rule.verdict})
        if rule.target not in self._known:
            target = self._table.chains.get(rule.target)
            if target is None or depth == MAX_DEPTH:
                return frozenset({Verdict.ACCEPT, Verdict.NONE})
            self._known[rule.target] = self.outcomes(target, depth + 1)
        ends = self._known[rule.target]
        if rule.verdict is Verdict.GOTO:
            return ends
        return frozenset(Verdict.NONE if end is Verdict.RETURN else end for end in ends)

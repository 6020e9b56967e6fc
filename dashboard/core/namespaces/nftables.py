"""Parses the output of ``nft -j list ruleset`` (libnftables-json(5))."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dashboard.core.namespaces.destinations import Network
from dashboard.core.namespaces.iptables import LINK_LOCAL, LOOPBACK, parse_network, parse_ports
from dashboard.core.namespaces.packet_rules import Chain, NameMatch, Rule, Table, Verdict
from dashboard.core.namespaces.state import Family

_FAMILIES = {"ip": (Family.INET,), "ip6": (Family.INET6,), "inet": (Family.INET, Family.INET6)}
_VERSIONS = {"ipv4": Family.INET, "ipv6": Family.INET6}
_VERDICTS = {"accept": Verdict.ACCEPT, "drop": Verdict.DROP, "reject": Verdict.DROP, "return": Verdict.RETURN}
#: Statements that end a nat chain without a new destination.
_FINAL = frozenset({"snat", "masquerade"})
#: Statements after which the rest of the rule always runs. ``limit`` and ``quota`` are conditions instead.
_NEUTRAL = frozenset({"counter", "log", "mangle", "comment", "notrack", "ct helper"})
_Key = tuple[str, str]


@dataclass
class NftRuleset:
    """The tables of nftables by family and name. ``foreign`` has the family and name of each table whose rules use
    extensions of iptables. Of such an extension, nft shows only the name."""

    tables: dict[_Key, Table] = field(default_factory=dict)
    foreign: set[_Key] = field(default_factory=set)


def read_nftables(text: str) -> NftRuleset:
    """Returns the rules for IPv4 and IPv6. Unknown statements are kept as text. Raises ValueError if the text is not
    the output of ``nft -j``."""
    try:
        items = json.loads(text)["nftables"]
        objects = [next(iter(item.items())) for item in items if isinstance(item, dict) and item]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a listing of nft -j") from error
    ruleset = NftRuleset()
    maps: dict[tuple[str, str, str], Any] = {}
    for kind, value in objects:
        if (
            kind in {"chain", "map", "rule", "set"}
            and isinstance(value, dict)
            and str(value.get("family")) in _FAMILIES
        ):
            key = (str(value["family"]), str(value.get("table", "")))
            table = ruleset.tables.setdefault(key, Table(_FAMILIES[key[0]]))
            if kind == "chain":
                table.chains[str(value.get("name"))] = _chain(value)
            elif kind in {"map", "set"}:
                maps[(*key, str(value.get("name")))] = value.get("elem")
    for kind, value in objects:
        if kind == "rule" and isinstance(value, dict) and str(value.get("family")) in _FAMILIES:
            key = (str(value["family"]), str(value.get("table", "")))
            named = {name: elements for (*of, name), elements in maps.items() if (*of,) == key}
            chain = ruleset.tables[key].chains.setdefault(str(value.get("chain")), Chain())
            statements = value.get("expr")
            reader = _Reader(statements if isinstance(statements, list) else [], key[0], named)
            chain.rules += reader.rules()
            if reader.foreign:
                ruleset.foreign.add(key)
    return ruleset


def _chain(value: Mapping[str, Any]) -> Chain:
    priority = value.get("prio")
    return Chain(
        kind=str(value.get("type", "")),
        hook=str(value.get("hook", "")),
        priority=priority if isinstance(priority, int) else 0,
        policy=Verdict.DROP if value.get("policy") == "drop" else Verdict.ACCEPT,
    )


class _Reader:
    """Parses the statements of one rule. A verdict map becomes one rule for each of its elements."""

    def __init__(self, statements: list[Any], family: str, named: Mapping[str, Any]) -> None:
        self._statements = statements
        self._family = family
        self._named = named
        self._rule = Rule(Verdict.NONE)
        self._redirects = False
        self._unknown: list[str] = []
        self.foreign = False

    def rules(self) -> Iterator[Rule]:
        """Yields the parsed rules in order."""
        for statement in self._statements:
            kind, value = next(iter(statement.items())) if isinstance(statement, dict) and statement else ("", None)
            if kind == "match" and isinstance(value, dict):
                if not self._read_match(value):
                    self._unknown.append(_describe(value))
            elif kind == "vmap" and isinstance(value, dict):
                yield from self._verdict_map(value)
                return
            else:
                self._read_statement(kind, value)
        yield from self._finished()

    def _finished(self) -> Iterator[Rule]:
        rule = replace(self._rule, unknown="; ".join(self._unknown))
        if not self._redirects:
            yield rule
            return
        for family in _FAMILIES[self._family]:
            yield replace(rule, families=rule.families & {family}, to_address=LOOPBACK[family])

    def _read_statement(self, kind: str, value: Any) -> None:
        if kind in {"jump", "goto"} and isinstance(value, dict):
            verdict = Verdict.JUMP if kind == "jump" else Verdict.GOTO
            self._rule = replace(self._rule, verdict=verdict, target=str(value.get("target")))
        elif kind in _VERDICTS:
            self._rule = replace(self._rule, verdict=_VERDICTS[kind])
        elif kind in _FINAL:
            self._rule = replace(self._rule, verdict=Verdict.ACCEPT)
        elif kind in {"dnat", "redirect"}:
            self._read_translation(kind, value if isinstance(value, dict) else {})
        elif kind in {"set", "meter"} and isinstance(value, dict):
            self._read_element_statements(value.get("stmt"))
        elif kind == "xt":
            self.foreign = True
            self._unknown.append(_describe(value))
        elif kind not in _NEUTRAL:
            self._unknown.append(kind or _describe(value))

    def _read_element_statements(self, statements: Any) -> None:
        """Reads the statements that run for the element which the rule adds to a dynamic set. They may be conditions of
        the rule: ``add @set { ip saddr limit rate over 10/second } drop``."""
        for statement in statements if isinstance(statements, list) else [statements]:
            if isinstance(statement, dict):
                self._unknown += [kind for kind in statement if kind not in _NEUTRAL]

    def _read_translation(self, kind: str, value: Mapping[str, Any]) -> None:
        address, port = value.get("addr"), value.get("port", 0)
        if kind == "redirect":
            self._redirects, address = True, ""
        if not isinstance(address, str) or not isinstance(port, int):
            self._unknown.append(f"{kind} to {_describe(address if not isinstance(address, str) else port)}")
        to_address = address if isinstance(address, str) else ""
        if value.get("family") in ("ip", "ip6"):
            self._restrict(*_FAMILIES[value["family"]])
        elif (network := parse_network(to_address)) is not None:
            self._restrict(Family.INET if network.version == 4 else Family.INET6)
        to_port = port if isinstance(port, int) else 0
        self._rule = replace(self._rule, verdict=Verdict.TRANSLATE, to_address=to_address, to_port=to_port)

    def _verdict_map(self, value: Mapping[str, Any]) -> Iterator[Rule]:
        elements = self._resolve(value.get("data"))
        before, unknown = self._rule, list(self._unknown)
        for element in elements:
            if isinstance(element, list) and len(element) == 2 and isinstance(element[1], dict) and element[1]:
                self._rule, self._unknown = before, list(unknown)
                match = {"op": "==", "left": value.get("key"), "right": element[0]}
                if not self._read_match(match):
                    self._unknown.append(_describe(match))
                self._read_statement(*next(iter(element[1].items())))
                yield from self._finished()

    def _resolve(self, value: Any) -> list[Any]:
        """Returns the elements of a set or map, which may be anonymous or named."""
        if isinstance(value, str) and value.startswith("@"):
            value = self._named.get(value[1:])
        elif isinstance(value, dict) and "set" in value:
            value = value["set"]
        return value if isinstance(value, list) else [] if value is None else [value]

    def _read_match(self, match: Mapping[str, Any]) -> bool:
        """Adds the condition ``match`` to the rule. Returns False if Netmodes cannot evaluate such a condition."""
        left, negated = match.get("left"), match.get("op") == "!="
        kind, value = next(iter(left.items())) if isinstance(left, dict) and left else ("", None)
        values = self._resolve(match.get("right"))
        if match.get("op") not in ("==", "!=", "in") or not isinstance(value, dict):
            return False
        if kind == "meta":
            return self._read_meta(str(value.get("key")), values, negated=negated)
        if kind == "payload":
            return self._read_payload(str(value.get("protocol")), str(value.get("field")), values, negated=negated)
        if kind == "fib":
            return (
                value.get("result") == "type"
                and value.get("flags") in (["daddr"], "daddr")  # nft 1.1.4 prints a single flag without a list.
                and values == ["local"]
                and not negated
            )
        if kind == "ct" and value.get("key") == "state":
            self._rule = replace(self._rule, new=("new" in values) is not negated)
            return True
        return False

    def _read_meta(self, key: str, values: list[Any], *, negated: bool) -> bool:
        if key in {"iifname", "oifname", "iif", "oif"} and values and all(isinstance(value, str) for value in values):
            if len(values) > 1 and not negated:
                return False
            matches = [NameMatch(value, negated) for value in values]
            rule = self._rule
            self._rule = (
                replace(rule, incoming=(*rule.incoming, *matches))
                if key.startswith("i")
                else replace(rule, outgoing=(*rule.outgoing, *matches))
            )
            return True
        if key == "l4proto" and not negated and all(isinstance(value, str) for value in values):
            self._rule = replace(self._rule, protocols=frozenset(values))
            return True
        return key == "nfproto" and not negated and self._read_family(values)

    def _read_family(self, values: list[Any]) -> bool:
        if not all(isinstance(value, str) and value in _VERSIONS for value in values):
            return False
        self._restrict(*(_VERSIONS[value] for value in values))
        return True

    def _restrict(self, *families: Family) -> None:
        self._rule = replace(self._rule, families=self._rule.families & set(families))

    def _read_payload(self, protocol: str, name: str, values: list[Any], *, negated: bool) -> bool:
        if name == "dport" and protocol in {"tcp", "udp", "th"}:
            ports = _ports(values)
            if ports is None or negated:
                return False
            protocols = self._rule.protocols if protocol == "th" else frozenset({protocol})
            self._rule = replace(self._rule, ports=ports, protocols=protocols)
            return True
        if protocol in {"ip", "ip6"}:  # A match on a field of ip or ip6 also requires that family.
            self._restrict(*_FAMILIES[protocol])
        networks = tuple(network for value in values if (network := _network(value)) is not None)
        if protocol not in {"ip", "ip6"} or not networks or len(networks) < len(values):
            return False
        if name == "saddr" and negated and {str(one) for one in networks} <= LINK_LOCAL:
            # The machine sends from a link-local address only to a link-local address.
            name = "daddr"
        if name != "daddr":
            return False
        rule = self._rule
        if negated:
            self._rule = replace(rule, not_destinations=(*rule.not_destinations, *networks))
        else:
            self._rule = replace(rule, destinations=networks)
        return True


def _network(value: Any) -> Network | None:
    if isinstance(value, dict):
        prefix = value.get("prefix")
        value = f"{prefix.get('addr')}/{prefix.get('len')}" if isinstance(prefix, dict) else None
    return parse_network(value) if isinstance(value, str) else None


def _ports(values: list[Any]) -> frozenset[int] | None:
    texts = []
    for value in values:
        ends = value.get("range") if isinstance(value, dict) else None
        texts.append(":".join(map(str, ends)) if isinstance(ends, list) else str(value))
    return parse_ports(",".join(texts), ":")


def _describe(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))[:200]

"""Parses the output of ``iptables-save`` and ``ip6tables-save``, of either variant (nft, legacy)."""

import ipaddress
import shlex
from typing import Any

from dashboard.core.namespaces.destinations import Network
from dashboard.core.namespaces.packet_rules import MAX_RANGE, Chain, NameMatch, Rule, Table, Verdict
from dashboard.core.namespaces.state import Family

_VERDICTS = {
    "ACCEPT": Verdict.ACCEPT,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.DROP,
    "RETURN": Verdict.RETURN,
    "DNAT": Verdict.TRANSLATE,
    "REDIRECT": Verdict.TRANSLATE,
    # Other targets that end a nat chain; NETMAP's new destination is not evaluated.
    "SNAT": Verdict.ACCEPT,
    "MASQUERADE": Verdict.ACCEPT,
    "NETMAP": Verdict.ACCEPT,
    # The program that reads the queue may accept the packet.
    "NFQUEUE": Verdict.ACCEPT,
}
_HOOKS = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
#: Modules of ``-m`` that are no condition themselves; the conditions are the options that follow.
_MODULES = frozenset({"tcp", "udp", "addrtype", "conntrack", "state", "multiport", "comment"})
#: Networks of addresses that are valid on one link only, and the loopback addresses.
LINK_LOCAL = frozenset({"fe80::/10", "169.254.0.0/16"})
LOOPBACK = {Family.INET: "127.0.0.1", Family.INET6: "::1"}


def read_iptables(text: str, family: Family) -> dict[str, Table]:
    """Returns the tables by name. Lines other than tables, chains and rules are ignored. Conditions that Netmodes does
    not evaluate are kept as text."""
    tables: dict[str, Table] = {}
    table = Table((family,))
    for line in map(str.strip, text.splitlines()):
        if line.startswith("*"):
            table = tables.setdefault(line[1:], Table((family,)))
            kind = "nat" if line == "*nat" else "filter"
        elif line.startswith(":") and (words := line[1:].split()):
            name, policy, *_ = (*words, "")
            chain = table.chains.setdefault(name, Chain())
            if name in _HOOKS and policy != "-":
                chain.kind, chain.hook = kind, name.lower()
                chain.policy = Verdict.DROP if policy == "DROP" else Verdict.ACCEPT
        elif line.startswith(("-A ", "[")):
            _add_rule(table, line, family)
    return tables


def _add_rule(table: Table, line: str, family: Family) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    if words and words[0].startswith("["):  # the counter of iptables-save -c
        words = words[1:]
    if len(words) > 2 and words[0] == "-A":
        rule = _Reader(words[2:], family, table).read()
        table.chains.setdefault(words[1], Chain()).rules.append(rule)


class _Reader:
    """Parses the options of one rule."""

    def __init__(self, words: list[str], family: Family, table: Table) -> None:
        self._words = iter(words)
        self._family = family
        self._table = table
        self._fields: dict[str, Any] = {"verdict": Verdict.NONE}
        self._unknown: list[str] = []
        self._has_target = False

    def read(self) -> Rule:
        """Parses all options and returns the rule."""
        negated = False
        for word in self._words:
            if word == "!":
                negated = True
                continue
            if not self._read_option(word, negated=negated):
                self._keep(word, negated=negated)
            negated = False
        return Rule(**self._fields, unknown=" ".join(self._unknown))

    def _next(self) -> str:
        return next(self._words, "")

    def _keep(self, *words: str, negated: bool) -> None:
        if not self._has_target:  # what follows the target are its options
            self._unknown += ["!", *words] if negated else words

    def _read_option(self, word: str, *, negated: bool) -> bool:
        match word:
            case "-m" | "--match":
                module = self._next()
                if module not in _MODULES:
                    self._keep(word, module, negated=False)
            case "--comment":
                self._next()
            case "-i" | "-o":
                side = "incoming" if word == "-i" else "outgoing"
                self._fields[side] = (NameMatch(self._next(), negated),)
            case "-p":
                self._read_protocol(self._next(), negated=negated)
            case "-d":
                self._read_destination(self._next(), negated=negated)
            case "-s":
                source = self._next()
                if negated and source in LINK_LOCAL:
                    # The machine sends from a link-local address only to a link-local address.
                    self._read_destination(source, negated=True)
                else:
                    self._keep(word, source, negated=negated)
            case "--dport" | "--dports":
                self._read_ports(word, self._next(), negated=negated)
            case "--dst-type":
                kind = self._next()
                if kind != "LOCAL" or negated:
                    self._keep(word, kind, negated=negated)
            case "--ctstate" | "--state":
                states = self._next()
                self._fields["new"] = ("NEW" in states.split(",")) is not negated
            case "-j" | "-g" | "--jump" | "--goto":
                self._read_target(self._next(), jumps=word in {"-j", "--jump"})
            case "--to-destination" | "--to-ports":
                self._read_new_destination(self._next())
            case _:
                return False
        return True

    def _read_protocol(self, name: str, *, negated: bool) -> None:
        if negated:
            self._keep("-p", name, negated=True)
        elif name not in {"all", "0"}:
            self._fields["protocols"] = frozenset({{"6": "tcp", "17": "udp"}.get(name, name)})

    def _read_destination(self, text: str, *, negated: bool) -> None:
        network = parse_network(text)
        if network is None:
            self._keep("-d", text, negated=negated)
        else:
            name = "not_destinations" if negated else "destinations"
            self._fields[name] = (*self._fields.get(name, ()), network)

    def _read_ports(self, word: str, text: str, *, negated: bool) -> None:
        ports = parse_ports(text, ":")
        if ports is None or negated:
            self._keep(word, text, negated=negated)
        else:
            self._fields["ports"] = ports

    def _read_target(self, name: str, *, jumps: bool) -> None:
        self._has_target = True
        if name in self._table.chains:
            self._fields |= {"verdict": Verdict.JUMP if jumps else Verdict.GOTO, "target": name}
            return
        self._fields["verdict"] = _VERDICTS.get(name, Verdict.NONE)
        if name == "REDIRECT":
            self._fields["to_address"] = LOOPBACK[self._family]

    def _read_new_destination(self, text: str) -> None:
        address, port = split_endpoint(text)
        if address:
            self._fields["to_address"] = address
        self._fields["to_port"] = port


def parse_network(text: str) -> Network | None:
    """Parses an address or a network in CIDR notation; None if the text is neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def parse_ports(text: str, separator: str) -> frozenset[int] | None:
    """Parses ``80``, ``80:90`` or ``80,90``. ``separator`` is the character between the ends of a range, such as the
    colon in ``80:90``. None if the text is invalid or contains more than ``MAX_RANGE`` ports."""
    ports: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition(separator)
        if not first.isdecimal() or not (last or first).isdecimal() or len(part) > 11:
            return None
        numbers = range(int(first), int(last or first) + 1)
        if len(numbers) > MAX_RANGE or numbers.stop > 65536:
            return None
        ports.update(numbers)
    return frozenset(ports) if len(ports) <= MAX_RANGE else None


def split_endpoint(text: str) -> tuple[str, int]:
    """Splits ``172.17.0.2:80``, ``[fd00::2]:80``, ``172.17.0.2`` or ``80`` into address and port. A missing address is
    empty. A missing port, or a range of ports, is 0."""
    if text.isdecimal():
        return "", int(text) if len(text) < 6 else 0
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        address, port = text, ""
    else:
        address, _, port = text.partition(":")
    return address, int(port) if port.isdecimal() and len(port) < 6 else 0

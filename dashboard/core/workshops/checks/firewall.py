"""Checks of the machine's firewall rules and their counters, as iptables-save(8) prints them on a private host."""

import re
from collections.abc import Iterator

from dashboard.core.workshops.checks.check_types import Arguments, CheckType, Finding
from dashboard.core.workshops.observation import Observation, format_list

_RULE = re.compile(r"\[(\d+):\d+\] -A (\S+) (.*)")
_DROPS = re.compile(r"-j (DROP|REJECT)\b")


def _rules(arguments: Arguments, observation: Observation) -> Iterator[tuple[int, str]]:
    """Yields the packet count and the text of each rule that drops or rejects packets in the chain that ``arguments``
    names. With the argument ``port``, only rules for this port are included."""
    port = arguments.get("port")
    for line in observation.rules:
        match = _RULE.fullmatch(line.strip())
        if match is None or match[2] != arguments["chain"] or not _DROPS.search(match[3]):
            continue
        if port is None or re.search(rf"--dport {port}\b", match[3]):
            yield int(match[1]), f"-A {match[2]} {match[3]}"


def _describe(arguments: Arguments) -> str:
    port = f" for port {arguments['port']}" if "port" in arguments else ""
    return f"in {arguments['chain']} that drops packets{port}"


def _present(arguments: Arguments, observation: Observation) -> Finding:
    rules = [text for _packets, text in _rules(arguments, observation)]
    return Finding(bool(rules), f"a rule {_describe(arguments)}", format_list(rules, "no such rule"))


def _absent(arguments: Arguments, observation: Observation) -> Finding:
    rules = [text for _packets, text in _rules(arguments, observation)]
    ok = bool(observation.rules) and not rules
    return Finding(ok, f"no rule {_describe(arguments)}", format_list(rules, "no such rule"))


def _dropped(arguments: Arguments, observation: Observation) -> Finding:
    rules = list(_rules(arguments, observation))
    counted = [f"{text}: {packets} packets" for packets, text in rules]
    ok = any(packets for packets, _text in rules)
    return Finding(ok, f"a packet dropped by a rule {_describe(arguments)}", format_list(counted, "no such rule"))


_PARAMETERS = {"chain": "text", "port": "port"}
CHECK_TYPES: dict[str, CheckType] = {
    "rule-present": CheckType(
        "A rule in the chain drops or rejects packets, to the port if one is given.", _PARAMETERS, ("chain",), _present
    ),
    "rule-absent": CheckType(
        "No rule in the chain drops or rejects packets, to the port if one is given.", _PARAMETERS, ("chain",), _absent
    ),
    "rule-dropped": CheckType(
        "A rule as for `rule-present` has dropped packets, now or at an earlier check of the step.",
        _PARAMETERS,
        ("chain",),
        _dropped,
    ),
}
